/** Trusted devices: where a factor was shown once, a login asks for none for a while. Step-up still does. */
import { hash } from 'node:crypto'
import { type IssuedDeviceToken, issueDeviceToken, parseDeviceToken } from '../auth/device-token.ts'
import { sameHash } from '../auth/token.ts'
import { AppError } from '../core/errors.ts'
import type { DeviceContext } from '../machines/trusted-device/machine.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { demanded, type Factor, factorsOf } from './factors.ts'
import { isFresh } from './fresh.ts'
import type { AccountPorts } from './ports.ts'
import { type ShownSession, withShownSession } from './shown-session.ts'
import { isOpen } from './standing.ts'
import { type Account, readAccount } from './users.ts'

/** For the device alone; it is kept nowhere. */
export interface DeviceToken {
  readonly deviceToken: string
  /** ISO 8601. */
  readonly deviceExpiresAt: string
}

export interface ShownDevice {
  readonly id: number
  readonly label: string
  /** ISO 8601. */
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly expiresAt: string
}

export interface TrustedDevices {
  /** For a session in which a factor was shown a moment ago. */
  trust(token: string, label?: string, client?: Client): Promise<({ readonly ok: true } & DeviceToken) | AccountRefusal>
  /** Those a login would take now. */
  list(userId: number): Promise<readonly ShownDevice[]>
  /** One of the user's own. Throws AppError `not_found`. */
  revoke(userId: number, deviceId: number, reason?: string): Promise<void>
  /** Answers how many there were. */
  revokeAll(userId: number, reason?: string): Promise<number>
}

/** Beyond it the oldest goes. */
const MAX_DEVICES = 20
const CHANGED = 'the password or a factor was changed'

export function createTrustedDevices(ports: AccountPorts): TrustedDevices {
  return {
    trust: (token, label, client = {}) =>
      withShownSession(ports, token, client, session => trustDevice(ports, session, label, client)),
    list: userId => listDevices(ports, userId),
    revoke: async (userId, deviceId, reason = 'asked') => {
      const { state, row } = await readDevice(ports, deviceId)
      if (state !== 'trusted' || row?.user_id !== userId)
        throw new AppError('not_found', 'The user trusts no such device. Nothing was changed.')
      await revoke(ports, deviceId, reason)
    },
    revokeAll: async (userId, reason = 'asked') => {
      const ids = await ports.find('trusted_devices', 'user_id', userId)
      await Promise.all(ids.map(id => revoke(ports, id, reason)))
      return ids.length
    },
  }
}

async function trustDevice(
  ports: AccountPorts,
  { userId, sessionId, incomplete, context }: ShownSession,
  label = 'device',
  client: Client,
): Promise<({ readonly ok: true } & DeviceToken) | AccountRefusal> {
  const { clock, settings } = ports
  if (incomplete || !isFresh(ports, context.factorAt)) return refused('factor_required')
  const [account, factors] = await Promise.all([readAccount(ports, userId), factorsOf(ports, userId)])
  // Else a session that a new password has just ended would be trusted under it.
  if (!isOpen(account.context, sessionId)) return refused('invalid_session')
  const id = await ports.nextId('trusted-device')
  const issued = issueDeviceToken(id)
  const expiresAt = new Date(clock.now() + settings.deviceMs).toISOString()
  const fingerprint = fingerprintOf(client)
  const trusted = await ports.actor('trusted-device', id).send(
    {
      type: 'device.trusted',
      userId,
      familyHash: issued.familyHash,
      tokenHash: issued.hash,
      authEpoch: account.context.authEpoch,
      factorsHash: factorsHash(factors),
      label,
      expiresAt,
      ...(fingerprint === undefined ? {} : { deviceFingerprint: fingerprint }),
    },
    { userId },
  )
  if (!trusted.ok) return refused('invalid_session')
  await makeRoom(ports, account, factors)
  return { ok: true, ...told(issued, expiresAt) }
}

/** What a login would not take any more goes, and of the rest the oldest. */
async function makeRoom(ports: AccountPorts, account: Account, factors: readonly Factor[]): Promise<void> {
  const ids = await ports.find('trusted_devices', 'user_id', account.id)
  const devices = await Promise.all(ids.toSorted((a, b) => a - b).map(id => readDevice(ports, id)))
  const current = devices.filter(({ context }) => isCurrent(context, account, factors))
  const over = devices.filter(device => !current.includes(device))
  await Promise.all(over.map(({ id }) => revoke(ports, id, CHANGED)))
  const oldest = current.slice(0, -MAX_DEVICES)
  await Promise.all(oldest.map(({ id }) => revoke(ports, id, 'a newer device took its place')))
}

/** The device that has such a token, also one that was replaced since, where this user trusts it. */
async function deviceOf(ports: AccountPorts, userId: number, token: string | undefined) {
  const shown = parseDeviceToken(token ?? '')
  if (shown === undefined) return undefined
  const { state, row, context } = await readDevice(ports, shown.id)
  // Whoever guesses changes nothing.
  if (row?.user_id !== userId || !sameHash(context.familyHash, shown.familyHash)) return undefined
  return state === 'trusted' && Date.parse(row.expires_at) > ports.clock.now() ? { shown, row, context } : undefined
}

function isBoundElsewhere(row: { readonly device_fingerprint: string | null }, client: Client): boolean {
  return row.device_fingerprint !== null && row.device_fingerprint !== fingerprintOf(client)
}

/**
 * Which device the user trusts shows this token, for what a login may be tried by before a password is looked at.
 * @param account undefined where there is none: it is asked for all the same, for the time it takes
 */
export async function trustedDeviceOf(
  ports: AccountPorts,
  account: Account | undefined,
  token: string | undefined,
  client: Client,
): Promise<number | undefined> {
  const device = await deviceOf(ports, account?.id ?? 0, token)
  if (device === undefined || device.context.authEpoch !== account?.context.authEpoch) return undefined
  return isBoundElsewhere(device.row, client) ? undefined : device.shown.id
}

/** Replaces the token of a device; undefined where that showed that it was copied, and a factor is to be shown after all. */
type ReplaceToken = () => Promise<DeviceToken | Record<string, never> | undefined>

/**
 * At a login of that user: undefined where a factor is still to be shown. The token is replaced by what is answered, once
 * the session is open: a login that is refused leaves it as it was. In a race of one device with itself only the first
 * login gets the new one.
 */
export async function showDevice(
  ports: AccountPorts,
  account: Account,
  factors: readonly Factor[],
  token: string | undefined,
  client: Client,
): Promise<ReplaceToken | undefined> {
  const device = await deviceOf(ports, account.id, token)
  if (device === undefined) return undefined
  const { shown, row, context } = device
  const end = async (reason: string) => {
    await revoke(ports, shown.id, reason)
    return undefined
  }
  if (!isCurrent(context, account, factors)) return end(CHANGED)
  if (isBoundElsewhere(row, client)) return end('its token was shown by another device')
  const copied = () => {
    ports.log.warn({ device: shown.id }, 'a token of a trusted device was shown after it was replaced: it is revoked')
    return end('a token was shown after it was replaced')
  }
  const isRace = ({ previousToken }: DeviceContext) =>
    previousToken?.tokenHash === shown.hash && Date.parse(previousToken.until) > ports.clock.now()
  if (row.token_hash !== shown.hash && !isRace(context)) return copied()
  return async () => {
    const next = shown.next()
    const used = await ports
      .actor('trusted-device', shown.id)
      .send({ type: 'device.used', shownHash: shown.hash, tokenHash: next.hash })
    if (used.ok) return told(next, row.expires_at)
    const { state, context: now } = await readDevice(ports, shown.id)
    return state === 'trusted' && isRace(now) ? {} : copied()
  }
}

async function listDevices(ports: AccountPorts, userId: number): Promise<readonly ShownDevice[]> {
  const [ids, account, factors] = await Promise.all([
    ports.find('trusted_devices', 'user_id', userId),
    readAccount(ports, userId),
    factorsOf(ports, userId),
  ])
  const devices = await Promise.all(ids.map(id => readDevice(ports, id)))
  return devices.flatMap(({ id, state, row, context }) => {
    if (state !== 'trusted' || row === null || !isCurrent(context, account, factors)) return []
    const { label, created_at: createdAt, last_used_at: lastUsedAt, expires_at: expiresAt } = row
    return [{ id, label, createdAt, lastUsedAt, expiresAt }]
  })
}

/** What ends the trust in all devices of a user at once, on all nodes: another password, another set of factors. */
function isCurrent(
  { authEpoch, factorsHash: trusted }: DeviceContext,
  account: Account,
  factors: readonly Factor[],
): boolean {
  return authEpoch === account.context.authEpoch && trusted === factorsHash(factors)
}

/** Whether a login would ask for the same. */
export function sameFactors(left: readonly Factor[], right: readonly Factor[]): boolean {
  return factorsHash(left) === factorsHash(right)
}

/** Backup codes are used up as they should be, and stand in for the others: they do not count. */
function factorsHash(factors: readonly Factor[]): string {
  const parts = demanded(factors)
    .filter(({ method }) => method !== 'backup_codes')
    .map(({ method, handle, context }) => [method, handle.ref.id, ...context.passkeys.map(({ id }) => id).sort()])
  return hash('sha256', JSON.stringify(parts.sort()), 'base64url')
}

function fingerprintOf({ deviceFingerprint, deviceId }: Client): string | undefined {
  // The first is the device's own; a fingerprint changes with its programs.
  const known = deviceId ?? deviceFingerprint
  return known === undefined ? undefined : hash('sha256', known, 'base64url')
}

function told({ token }: IssuedDeviceToken, expiresAt: string): DeviceToken {
  return { deviceToken: token, deviceExpiresAt: expiresAt }
}

async function readDevice(ports: AccountPorts, id: number) {
  const { state, context: read } = await ports.actor('trusted-device', id).state()
  const context = read as unknown as DeviceContext
  return { id, state, context, row: context.row }
}

/** What is over already stays as it ended. */
async function revoke(ports: AccountPorts, id: number, reason: string): Promise<void> {
  await ports.actor('trusted-device', id).send({ type: 'device.revoked', reason })
}
