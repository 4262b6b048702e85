/** Signing out: whatever is shown of a session ends it, also a token whose own time is up where another goes on for it. */
import { parseRemember, parseToken, sameHash } from '../auth/token.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import type { ShownTokens } from './refresh.ts'

/** Texts that are no token, or of no session that is open, end nothing. Throws AppError `log_unavailable`. */
export async function logout(ports: AccountPorts, { token = '', rememberToken = '' }: ShownTokens): Promise<void> {
  const shown = parseToken('session', token)
  if (shown !== undefined) await close(ports, shown.id, context => isOf(context, shown.hash))
  const remembered = parseRemember(rememberToken)
  if (remembered !== undefined)
    await close(ports, remembered.id, ({ remember }) => sameHash(remember?.familyHash ?? '', remembered.familyHash))
}

/** One that waits for a factor too: whoever gives it up may. */
async function close(ports: AccountPorts, id: number, isShown: (context: SessionContext) => boolean): Promise<void> {
  // Memory may not have heard of the token yet; what it takes for another's is asked of the log.
  for (const maxStaleMs of [ports.settings.maxStaleMs, 0]) {
    const { state, context } = await readSession(ports, id, maxStaleMs)
    if (state !== 'absent' && state !== 'active' && state !== 'pending') return
    if (!isShown(context)) continue
    await ports.actor('session', id).send({ type: 'session.closed' })
    return
  }
}

function isOf({ row, previousToken }: SessionContext, hash: string): boolean {
  return sameHash(row?.session_token ?? '', hash) || sameHash(previousToken?.tokenHash ?? '', hash)
}
