/** Verifying that the address of an account is its owner's, by a ticket that is sent there. */
import { mailTo, mayMail } from './address-mail.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { verificationLetter } from './letters.ts'
import type { AccountPorts } from './ports.ts'
import { isForAddress, issueTicket, shownTicket, useTicket } from './tickets.ts'
import { type Account, readAccount } from './users.ts'

/** Nothing is sent where the address is verified already. */
export async function sendVerification(ports: AccountPorts, account: Account): Promise<void> {
  const { delivery, settings } = ports
  if (!delivery.offers('mail') || !account.active || account.context.row?.is_verified === true) return
  if (!(await mayMail(ports, 'verification', account))) return
  const token = await issueTicket(ports, account, 'email_verification', settings.verificationMs)
  if (token === undefined) return
  mailTo(ports, account, verificationLetter(settings, token), {
    ms: settings.verificationMs,
    replaces: 'verification',
  })
}

export type VerifiedEmail = { readonly ok: true; readonly userId: number } | AccountRefusal

export async function verifyEmail(ports: AccountPorts, token: string): Promise<VerifiedEmail> {
  const ticket = await shownTicket(ports, 'email_verification', token)
  if (ticket === undefined) return refused('invalid_ticket')
  const account = await readAccount(ports, ticket.userId)
  if (!account.active || !isForAddress(ports, ticket, account)) return refused('invalid_ticket')
  if (!(await useTicket(ticket))) return refused('invalid_ticket')
  return (await confirmAddress(ports, account.id, verified => isForAddress(ports, ticket, verified)))
    ? { ok: true, userId: account.id }
    : refused('invalid_ticket')
}

const MAX_TRIES = 5

/** On the very state that was looked at: the address may be changed at this moment. */
export async function confirmAddress(
  ports: AccountPorts,
  userId: number,
  isMeant: (account: Account) => boolean,
): Promise<boolean> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const account = await readAccount(ports, userId)
    if (!account.active || !isMeant(account)) return false
    if (account.context.row?.is_verified === true) return true
    const verified = await account.handle.send({ type: 'user.verified' }, { expectedVersion: account.version, userId })
    if (verified.ok) return true
  }
  return false
}
