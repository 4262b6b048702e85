/** What a session is bound to: the device and the network it was opened from, and what follows when either changes. */
import type { SessionRow } from '../machines/session/row.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { asKept, type Client, clientData } from './client.ts'
import { revokeSession } from './end-sessions.ts'
import { siteOf } from './network.ts'
import type { AccountPorts } from './ports.ts'
import type { BindingPolicy } from './settings.ts'
import type { Standing } from './standing.ts'

/** A session that goes to and fro between networks is written so often at most. */
const MOVE_MS = 60_000

/** Undefined where the client is the one the session knows: nothing to wait for. Else the refusal, once the log has what is to be in it. */
export function followClient(
  ports: AccountPorts,
  standing: Standing,
  client: Client,
): Promise<AccountRefusal | undefined> | undefined {
  const { row } = standing.session
  if (row === null) return undefined
  const device = isOtherDevice(row, client)
  const network = isOtherNetwork(row.ip_address, client.ipAddress)
  if (!device && !network) return undefined
  return follow(ports, standing, client, device, network)
}

async function follow(
  ports: AccountPorts,
  { sessionId, session }: Standing,
  client: Client,
  device: boolean,
  network: boolean,
): Promise<AccountRefusal | undefined> {
  const { settings } = ports
  const policy = stricter(device ? settings.onNewDevice : 'ignore', network ? settings.onNewNetwork : 'ignore')
  const reason = device ? 'another device' : 'another network'
  if (policy === 'revoke') {
    await revokeSession(ports, sessionId, reason)
    return refused('invalid_session')
  }
  const handle = ports.actor('session', sessionId)
  if (policy === 'step_up') {
    await handle.send({ type: 'session.challenged', reason })
    return refused('factor_required')
  }
  if (saysAnythingNew(session.row, client))
    ports.activity.refresh(
      `session/${sessionId}/moved`,
      () => handle.send({ type: 'session.moved', ...clientData(located(ports, client)) }),
      MOVE_MS,
    )
  return undefined
}

/** With its place, where a database of places is at hand. */
export function located(ports: AccountPorts, client: Client): Client {
  const place = client.ipAddress === undefined ? undefined : ports.placeOf(client.ipAddress)
  return place === undefined ? client : { geoLocation: place, ...client }
}

type Bound = Pick<SessionRow, 'device_id' | 'device_fingerprint' | 'ip_address'>

/** What was said once has to be said again: who has stolen a token would leave it out. */
function isOtherDevice({ device_id: id, device_fingerprint: fingerprint }: Bound, client: Client): boolean {
  return (
    (id !== null && id !== asKept(client.deviceId)) ||
    (fingerprint !== null && fingerprint !== asKept(client.deviceFingerprint))
  )
}

function saysAnythingNew(row: Bound | null, { deviceId, deviceFingerprint, ipAddress }: Client): boolean {
  return (
    (deviceId !== undefined && asKept(deviceId) !== row?.device_id) ||
    (deviceFingerprint !== undefined && asKept(deviceFingerprint) !== row?.device_fingerprint) ||
    (ipAddress !== undefined && ipAddress !== row?.ip_address)
  )
}

function isOtherNetwork(known: string | null, shown: string | undefined): boolean {
  return known !== null && shown !== undefined && known !== shown && siteOf(known) !== siteOf(shown)
}

function stricter(one: BindingPolicy, other: BindingPolicy): BindingPolicy {
  const order: readonly BindingPolicy[] = ['ignore', 'step_up', 'revoke']
  return order[Math.max(order.indexOf(one), order.indexOf(other))] ?? 'revoke'
}
