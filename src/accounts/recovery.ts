/** Getting back into an account without its password, by a ticket that is sent to its address. */
import { mailTo, mayMail } from './address-mail.ts'
import { type AccountRefusal, refused, tooManyAttempts } from './answers.ts'
import type { Client } from './client.ts'
import { confirmAddress, sendVerification } from './email-verification.ts'
import { revokeSession } from './end-sessions.ts'
import { demandedOf } from './factors.ts'
import { recoveryLetter } from './letters.ts'
import { clearPasswordAttempts } from './login.ts'
import { networkOf } from './network.ts'
import { faultOf } from './passwords.ts'
import type { AccountPorts } from './ports.ts'
import { isForAddress, issueTicket, type ShownTicket, shownTicket, useTicket } from './tickets.ts'
import { type Account, findAccount, readAccount } from './users.ts'

export type Asked = { readonly ok: true } | AccountRefusal

/** The answer is the same whether there is such an account: it is looked for when the answer is given. */
export async function askRecovery(ports: AccountPorts, login: string, client: Client): Promise<Asked> {
  return asked(ports, client, 'recovery', async () => {
    const account = await findAccount(ports, login)
    if (account !== undefined) await sendRecovery(ports, account)
  })
}

/** The same for another mail to verify the address. */
export async function askVerification(ports: AccountPorts, login: string, client: Client): Promise<Asked> {
  return asked(ports, client, 'verification', async () => {
    const account = await findAccount(ports, login)
    if (account !== undefined) await sendVerification(ports, account)
  })
}

async function asked(
  ports: AccountPorts,
  { ipAddress = 'unknown' }: Client,
  what: string,
  work: () => Promise<void>,
): Promise<Asked> {
  if (!ports.delivery.offers('mail'))
    return refused('not_offered', 'This installation sends no mails. Ask an administrator.')
  const budget = await ports.attempts.take('recovery', networkOf(ipAddress))
  if (!budget.ok) return tooManyAttempts(budget)
  ports.background.run(what, work)
  return { ok: true }
}

async function sendRecovery(ports: AccountPorts, account: Account): Promise<void> {
  const { settings } = ports
  if (!account.active || !(await mayMail(ports, 'recovery', account))) return
  const token = await issueTicket(ports, account, 'recovery', settings.recoveryMs)
  if (token === undefined) return
  mailTo(ports, account, recoveryLetter(settings, token), { ms: settings.recoveryMs, replaces: 'recovery' })
}

const MAX_TRIES = 5

/** Sets a password and ends all sessions. It opens none and leaves the factors as they are: they are asked for at the next login. */
export async function completeRecovery(
  ports: AccountPorts,
  { token, password }: { readonly token: string; readonly password: string },
): Promise<Asked> {
  // Before the password is looked at: who has no ticket makes the node hash nothing.
  const ticket = await shownTicket(ports, 'recovery', token)
  const before = ticket === undefined ? undefined : await recoverable(ports, ticket)
  if (ticket === undefined || before === undefined) return refused('invalid_ticket')
  const hasFactor = (await demandedOf(ports, before.id)).length > 0
  const fault = faultOf(ports, before.context, password, hasFactor)
  if (fault !== undefined) return fault
  const passwordHash = await ports.hasher.hash(password)
  if (!(await useTicket(ticket))) return refused('invalid_ticket')
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const account = await recoverable(ports, ticket)
    if (account === undefined) return refused('invalid_ticket')
    const { handle, version, context, id: userId } = account
    // On the very state that was looked at: of two tickets, the second is void by what the first did.
    const changed = await handle.send(
      { type: 'user.password.changed', passwordHash },
      { expectedVersion: version, userId },
    )
    if (!changed.ok) continue
    await Promise.all(context.sessions.map(({ id }) => revokeSession(ports, id, 'the account was recovered')))
    // Whoever had the ticket reads the mails of that address.
    await confirmAddress(ports, userId, current => isForAddress(ports, ticket, current))
    // What strangers tried was the old one: they are not to keep its owner out of the new one.
    await clearPasswordAttempts(ports, account)
    return { ok: true }
  }
  return refused('invalid_ticket')
}

/** The account of a ticket, unless its password or its address was changed since. */
async function recoverable(ports: AccountPorts, ticket: ShownTicket): Promise<Account | undefined> {
  const account = await readAccount(ports, ticket.userId)
  const stands =
    account.active && account.context.authEpoch === ticket.context.authEpoch && isForAddress(ports, ticket, account)
  return stands ? account : undefined
}
