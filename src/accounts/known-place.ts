/** Whether an account is asked for from where its user signed in lately, or on a device he trusts: such a place has a budget of attempts of its own. */
import type { Client } from './client.ts'
import { networkOf } from './network.ts'
import type { AccountPorts } from './ports.ts'
import { trustedDeviceOf } from './trusted-devices.ts'
import type { Account } from './users.ts'

const REMEMBERED_S = 20 * 86_400

/**
 * The key of its budget, or undefined for a place nobody knows.
 * @param account undefined where there is none: it is asked for all the same, for the time it takes
 * @param deviceToken of a trusted device; it stays as it is
 */
export async function knownPlace(
  ports: AccountPorts,
  account: Account | undefined,
  client: Client,
  deviceToken?: string,
): Promise<string | undefined> {
  const userId = account?.id ?? 0
  // The token proves what the others only make likely, and still does when the notes are lost.
  const device = await trustedDeviceOf(ports, account, deviceToken, client)
  if (device !== undefined) return `place/${userId}/trusted/${device}`
  const places = placesOf(userId, client)
  const noted = await Promise.all(places.map(place => ports.attempts.isNoted(place)))
  return places.find((_, index) => noted[index] === true)
}

/** After a login. */
export async function notePlace(ports: AccountPorts, account: Account, client: Client): Promise<void> {
  await Promise.all(placesOf(account.id, client).map(place => ports.attempts.note(place, REMEMBERED_S)))
}

/** The device first: it is the narrower. */
function placesOf(userId: number, { deviceId, ipAddress }: Client): readonly string[] {
  return [
    ...(deviceId === undefined ? [] : [`place/${userId}/device/${deviceId}`]),
    ...(ipAddress === undefined ? [] : [`place/${userId}/address/${networkOf(ipAddress)}`]),
  ]
}
