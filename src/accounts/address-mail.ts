/** Mails to the address of an account, within a budget that tells nobody of it. */
import type { Letter } from './letters.ts'
import type { AccountPorts } from './ports.ts'
import type { Account } from './users.ts'

const NOTICE_MS = 24 * 60 * 60_000

/**
 * Whether another mail of a kind may go to an account. What one kind takes leaves the others alone: who asks for recoveries
 * in somebody's name keeps no codes from them.
 */
export async function mayMail({ attempts, log }: AccountPorts, kind: string, account: Account): Promise<boolean> {
  const budget = await attempts.take('delivery', `${kind}/${account.id}`)
  if (!budget.ok) log.warn({ kind, userId: account.id }, 'a mail was not sent: there were too many of its kind')
  return budget.ok
}

export function mailTo(
  { delivery, clock }: AccountPorts,
  account: Account,
  { subject, text }: Letter,
  { ms = NOTICE_MS, replaces }: { readonly ms?: number; readonly replaces?: string } = {},
): void {
  const until = clock.now() + ms
  delivery.mail(account.context.row?.email ?? '', subject, text, {
    until,
    ...(replaces === undefined ? {} : { replaces: `${replaces}/${account.id}` }),
  })
}
