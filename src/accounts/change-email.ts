/** Giving an account another address: its owner is told at the old one, and verifies the new one. */
import { type AccountRefusal, accountContended, refused, tooManyAttempts } from './answers.ts'
import { mayChangeFactors } from './factor-changes.ts'
import type { AccountPorts } from './ports.ts'
import type { ShownSession } from './shown-session.ts'
import { isOpen } from './standing.ts'
import { readAccount } from './users.ts'

const MAX_TRIES = 5

export interface EmailChange {
  readonly email: string
  /** Of a user without factors whose password was shown long ago. */
  readonly password?: string | undefined
}

/**
 * Whoever has the address gets back into the account, so it takes what a change of factors takes. What was sent to the old one is void.
 * Throws AppError `invalid_event` where that is no address.
 */
export async function changeEmail(
  ports: AccountPorts,
  session: ShownSession,
  { email, password }: EmailChange,
): Promise<{ readonly ok: true } | AccountRefusal> {
  const refusal = await mayChangeFactors(ports, session, password)
  if (refusal !== undefined) return refusal
  const { userId, sessionId } = session
  // Who may ask whether an address is in use does so seldom.
  const budget = await ports.attempts.take('recovery', `email/${userId}`)
  if (!budget.ok) return tooManyAttempts(budget)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { handle, version, active, context } = await readAccount(ports, userId)
    if (!active || !isOpen(context, sessionId)) return refused('invalid_session')
    // On the very state that was looked at: a recovery at this moment is against whoever holds this session.
    const changed = await handle.send({ type: 'user.updated', email }, { expectedVersion: version, userId })
    if (changed.ok) return { ok: true }
    if (changed.reason !== 'wrong_version') return refused('taken')
  }
  throw accountContended()
}
