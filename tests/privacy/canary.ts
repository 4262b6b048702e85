/** A user with a mark in every personal field of everything that is kept of users. */
import type { RuntimeNode } from '../../src/app.ts'
import type { CommandResult } from '../../src/core/result.ts'
import type { OutgoingEvent } from '../../src/machines/define.ts'

/** In each personal text of the canary, and nowhere else; addresses of the net are marked by `CANARY_NET`. */
export const CANARY = 'canary'
export const CANARY_NET = '198.51.100.'
export const CANARY_MARKS = [CANARY, CANARY_NET]

export const password = 'correct horse battery staple'
const LATER = '2099-01-01T00:00:00.000Z'

export interface Canary {
  readonly userId: number
  readonly sessionIds: readonly number[]
  readonly token: string
}

export async function letLoose(node: RuntimeNode, name = CANARY): Promise<Canary> {
  const registered = await node.accounts.register({
    username: `${name}-name`,
    email: `${name}-mail@example.org`,
    password,
    displayName: `${name} display`,
  })
  if (!registered.ok) throw new Error(registered.detail)
  const { userId } = registered
  const client = {
    ipAddress: `${CANARY_NET}7`,
    userAgent: `${name} agent`,
    deviceId: `${name}-device`,
    deviceFingerprint: `${name}-print`,
    geoLocation: `${name} town`,
  }
  const send = async (type: string, id: number, event: OutgoingEvent) =>
    taken(await node.actor(type, id).send(event, { userId }))
  const created = async (type: string, event: OutgoingEvent) =>
    taken(await node.create(type, event, { userId })).actor.id
  // Verified again after a new address, which cannot be told from the old one later.
  await send('user', userId, { type: 'user.verified' })
  await send('user', userId, { type: 'user.updated', email: `${name}-new@example.org` })
  await send('user', userId, { type: 'user.verified' })
  await send('user', userId, { type: 'user.updated', email: `${name}-mail@example.org` })
  await send('user', userId, { type: 'user.deactivated', reason: `${name} asked` })
  await send('user', userId, { type: 'user.reactivated' })
  const first = await node.accounts.login({ login: `${name}-name`, password }, client)
  const second = await node.accounts.login({ login: `${name}-mail@example.org`, password }, client)
  if (!first.ok || !second.ok) throw new Error('the canary could not sign in')
  await send('session', first.sessionId, { type: 'session.touched', ipAddress: `${CANARY_NET}8` })
  await send('session', first.sessionId, { type: 'session.moved', ...client, ipAddress: `${CANARY_NET}9` })
  await send('session', first.sessionId, { type: 'session.challenged', reason: `${name} moved` })
  await send('session', second.sessionId, { type: 'session.revoked', reason: `${name} asked` })
  const passkey = {
    id: `key-${userId}`,
    publicKey: `${name}-public`,
    counter: 0,
    transports: [],
    label: `${name} key`,
    backedUp: false,
  }
  await created('factor', { type: 'factor.enrolled', userId, method: 'email', secret: `${name}-address` })
  const key = await created('factor', { type: 'factor.enrolled', userId, method: 'passkey', passkey })
  await send('factor', key, { type: 'factor.passkey.renamed', id: passkey.id, label: `${name} renamed` })
  const sms = await created('factor', { type: 'factor.enrolled', userId, method: 'sms', secret: `${name}-phone` })
  await send('factor', sms, { type: 'factor.resealed', secret: `${name}-phone-again` })
  await send('factor', sms, { type: 'factor.removed', reason: `${name} lost it` })
  for (const success of [false, true])
    await created('mfa-attempt', {
      type: 'mfa.attempted',
      userId,
      method: 'sms',
      success,
      ipAddress: `${CANARY_NET}10`,
    })
  const hashes = { familyHash: 'family', tokenHash: 'hash', factorsHash: 'factors' }
  const trusted = { type: 'device.trusted', userId, ...hashes, authEpoch: 0, expiresAt: LATER } as const
  await created('trusted-device', { ...trusted, label: `${name} laptop`, deviceFingerprint: `${name}-print` })
  const ticket = { type: 'ticket.issued', purpose: 'recovery', secretHash: 'hash', expiresAt: LATER, userId } as const
  await created('ticket', { ...ticket, addressHash: `${name}-hash` })
  await send('user', userId, { type: 'user.updated', avatarUrl: `https://example.org/${name}.png` })
  await send('user', userId, {
    type: 'user.password.changed',
    passwordHash: `${name}-hash`,
    keepSession: first.sessionId,
  })
  await send('user', userId, { type: 'user.sessions.ended', keepSession: first.sessionId, reason: `${name} asked` })
  // Enough for a snapshot.
  for (let n = 0; n < 100; n++)
    await send('user', userId, { type: 'user.updated', displayName: `${name} display ${n}`, username: `${name}-name` })
  return { userId, sessionIds: [first.sessionId, second.sessionId], token: first.token }
}

function taken(result: CommandResult) {
  if (!result.ok || result.tentative) throw new Error(`not taken: ${JSON.stringify(result)}`)
  return result
}
