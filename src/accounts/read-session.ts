/** Sessions as accounts read them. */
import type { SessionContext } from '../machines/session/machine.ts'
import type { AccountPorts } from './ports.ts'

/** @param maxStaleMs how old the answer may be: 0 asks the log. Throws AppError `log_unavailable`. */
export async function readSession(ports: AccountPorts, id: number, maxStaleMs = 0) {
  const { state, context } = await ports.actor('session', id).state(maxStaleMs === 0 ? undefined : { maxStaleMs })
  return { state, context: context as unknown as SessionContext }
}
