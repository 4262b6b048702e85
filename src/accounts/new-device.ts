/** Whether somebody signed in on a device that is new to the account. */
import type { SessionContext } from '../machines/session/machine.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './sessions.ts'

/** Sessions that are compared, the newest. */
const COMPARED = 20

/** False for the first session of an account, and where nothing is known of the device. */
export async function isNewDevice(ports: AccountPorts, userId: number, sessionId: number): Promise<boolean> {
  const device = deviceOf((await readSession(ports, sessionId)).context)
  if (device === undefined) return false
  const older = (await ports.find('sessions', 'user_id', userId)).filter(id => id < sessionId).slice(-COMPARED)
  const contexts = await Promise.all(older.map(async id => (await readSession(ports, id)).context))
  // Who got no further than the password does not make a device known.
  const opened = contexts.filter(({ idleMs }) => idleMs !== null)
  return opened.length > 0 && !opened.some(context => deviceOf(context) === device)
}

function deviceOf({ row }: SessionContext): string | undefined {
  return row?.device_fingerprint ?? row?.device_id ?? row?.user_agent ?? undefined
}
