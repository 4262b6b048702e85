/** Whether somebody signed in on a device that is new to the account. */
import type { LogEvent } from '../core/event.ts'
import type { SessionContext } from '../machines/session/machine.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'

/** Events of the user that are looked through for older logins, and logins that are compared: the newest of each. */
const LOOKED_THROUGH = 100
const COMPARED = 20

/** The session that a login opened; undefined for an event without one. */
export function openedBy({ data }: LogEvent): number | undefined {
  return (data as { readonly opened?: { readonly sessionId: number } }).opened?.sessionId
}

/** False for the first login of an account, and where nothing is known of the device. */
export async function isNewDevice(ports: AccountPorts, login: LogEvent): Promise<boolean> {
  const sessionId = openedBy(login)
  if (sessionId === undefined) return false
  const device = await deviceOf(ports, sessionId)
  if (device === undefined) return false
  const older: number[] = []
  const range = { from: Math.max(1, login.version - LOOKED_THROUGH), to: login.version - 1 }
  for await (const events of ports.actor('user', login.actorId).history(range))
    older.push(...events.map(openedBy).filter(id => id !== undefined))
  const known = await Promise.all(older.slice(-COMPARED).map(id => deviceOf(ports, id)))
  return known.length > 0 && !known.includes(device)
}

async function deviceOf(ports: AccountPorts, sessionId: number): Promise<string | undefined> {
  const { row }: SessionContext = (await readSession(ports, sessionId)).context
  return row?.device_fingerprint ?? row?.device_id ?? row?.user_agent ?? undefined
}
