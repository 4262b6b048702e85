/** What each event does to a user, a stream or a session, as its clients are told: one plain table, apart from the machines. */
import type { JsonObject } from '../../src/core/json.ts'

/** What a client remembers of an actor beside its state. */
export type Facts = JsonObject

interface Rule {
  readonly in: readonly string[]
  /** The state afterwards; the same as before where absent. */
  readonly to?: string
  /** Only the runtime itself sends it. */
  readonly internal?: true
  readonly when?: (facts: Facts, data: JsonObject, at: string) => boolean
  readonly sets?: (facts: Facts, data: JsonObject, at: string) => Facts
}

const HELD = ['active', 'deactivated']
const KEPT = ['idle', 'live']
const OFF_AIR = { viewers: 0, total: 0, peak: 0, bytes: 0, broadcastId: null }

const given = (names: readonly string[]) => (_: Facts, data: JsonObject) =>
  Object.fromEntries(names.filter(name => data[name] !== undefined).map(name => [name, data[name] ?? null]))
const number = (value: unknown) => Number(value ?? 0)
/** Viewers from now on, of whom some may be new. */
const watched = (facts: Facts, viewers: number, joined: number): Facts => ({
  viewers,
  total: Math.max(number(facts['total']) + joined, viewers),
  peak: Math.max(number(facts['peak']), viewers),
})

/** What the time on air is called that a stream began last. */
export function airing({ startedAt, again }: Facts): string {
  return again === 0 ? String(startedAt) : `${startedAt}#${again}`
}

export const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  user: {
    'user.registered': {
      in: ['absent'],
      to: 'active',
      sets: (_, { username, email }) => ({ username: username ?? '', email: email ?? '', verified: false }),
    },
    'user.verified': { in: ['active'], sets: () => ({ verified: true }) },
    'user.updated': {
      in: HELD,
      // A new address is to be verified.
      sets: (facts, data) => ({
        ...given(['username', 'email'])(facts, data),
        verified: facts['verified'] === true && (data['email'] ?? facts['email']) === facts['email'],
      }),
    },
    'user.password.changed': { in: ['active'] },
    'user.password.rehashed': { in: ['active'] },
    'user.login.recorded': { in: ['active'] },
    'user.sessions.ended': { in: ['active'] },
    'user.sessions.limited': { in: HELD },
    'user.roles.changed': { in: HELD },
    'user.deactivated': { in: ['active'], to: 'deactivated' },
    'user.reactivated': { in: ['deactivated'], to: 'active' },
    'user.deleted': { in: HELD, to: 'deleted' },
    'user.erased': {
      in: [...HELD, 'deleted'],
      to: 'erasing',
      sets: () => ({ username: null, email: null, verified: null }),
    },
    'user.forgotten': { in: ['erasing'], to: 'erased', internal: true },
  },
  stream: {
    'stream.created': {
      in: ['absent'],
      to: 'idle',
      sets: (_, { userId, name, streamKey }) => ({
        userId: userId ?? 0,
        name: name ?? '',
        streamKey: streamKey ?? '',
        startedAt: null,
        again: 0,
        ...OFF_AIR,
      }),
    },
    'stream.started': {
      in: ['idle'],
      to: 'live',
      sets: (facts, _, at) => ({
        ...OFF_AIR,
        startedAt: at,
        again: facts['startedAt'] === at ? number(facts['again']) + 1 : 0,
      }),
    },
    'stream.stopped': { in: ['live'], to: 'idle', sets: () => OFF_AIR },
    'viewer.joined': { in: ['live'], sets: facts => watched(facts, number(facts['viewers']) + 1, 1) },
    'viewer.left': {
      in: ['live'],
      when: facts => number(facts['viewers']) > 0,
      sets: facts => watched(facts, number(facts['viewers']) - 1, 0),
    },
    'stream.viewers.updated': {
      in: ['live'],
      sets: (facts, data) => {
        const viewers = number(data['viewers'])
        return watched(facts, viewers, Math.max(0, viewers - number(facts['viewers'])))
      },
    },
    'stream.stats.updated': {
      in: ['live'],
      sets: (facts, data) => ({ bytes: Math.max(number(facts['bytes']), number(data['bytesSent'])) }),
    },
    'stream.renamed': { in: KEPT, sets: given(['name']) },
    'stream.described': { in: KEPT },
    'stream.visibility.changed': { in: KEPT },
    'stream.key.rotated': { in: KEPT, sets: given(['streamKey']) },
    'stream.broadcast.opened': {
      in: ['live'],
      internal: true,
      when: (facts, data) => facts['startedAt'] === data['startedAt'] && airing(facts) === data['airing'],
      sets: given(['broadcastId']),
    },
    'stream.deleted': { in: KEPT, to: 'deleted' },
  },
  session: {
    'session.created': {
      in: ['absent'],
      to: 'active',
      when: (_, data, at) => String(data['expiresAt']) > at,
      sets: (_, { userId, tokenHash, expiresAt, ipAddress }) => ({
        userId: userId ?? 0,
        tokenHash: tokenHash ?? '',
        expiresAt: expiresAt ?? '',
        ipAddress: ipAddress ?? null,
      }),
    },
    'session.refreshed': {
      in: ['active'],
      when: (_, data, at) => String(data['expiresAt']) > at,
      sets: given(['expiresAt', 'tokenHash']),
    },
    'session.elevated': { in: ['active'] },
    'session.challenged': { in: ['active'] },
    'session.moved': { in: ['active'] },
    'session.touched': { in: ['active'] },
    'session.closed': { in: ['active', 'expired'], to: 'closed' },
    'session.revoked': { in: ['active', 'closed', 'expired'], to: 'revoked' },
    'session.expired': { in: ['active'], to: 'expired', internal: true },
    'session.erased': { in: ['revoked'], internal: true, sets: () => ({ ipAddress: null, isForgotten: true }) },
  },
  // What the runtime makes of a time on air; no client sends these.
  broadcast: {
    'broadcast.started': { in: ['absent'], to: 'live', internal: true, sets: given(['streamId', 'startedAt']) },
    'broadcast.progressed': { in: ['live'] },
    'broadcast.recorded': { in: ['live', 'ended'] },
    'broadcast.ended': { in: ['live'], to: 'ended', internal: true },
  },
  usage: { 'usage.recorded': { in: ['absent'], to: 'recorded', sets: given(['userId', 'streamId', 'eventType']) } },
}

/** A state in which nothing may refer to an actor any more. */
export function isGone(state: string): boolean {
  return state === 'deleted' || state === 'erasing' || state === 'erased'
}

/** Names that an actor holds, as `kind key`. */
export function namesOf(type: string, state: string, facts: Facts): readonly string[] {
  if (state === 'absent' || isGone(state)) return []
  if (type === 'user')
    return [
      `user.username ${String(facts['username']).toLowerCase()}`,
      `user.email ${String(facts['email']).toLowerCase()}`,
    ]
  if (type === 'stream') return [`stream.key ${facts['streamKey']}`]
  // Also of a session that has ended.
  if (type === 'session') return [`session.token ${facts['tokenHash']}`]
  return []
}

/** What the event does, or undefined where the state does not take it. */
export function transition(
  entity: string,
  { state, facts }: { state: string; facts: Facts },
  type: string,
  data: JsonObject,
  at: string,
): { readonly state: string; readonly facts: Facts } | undefined {
  const rule = RULES[entity]?.[type]
  if (rule === undefined) throw new Error(`no rule for ${type} of ${entity}`)
  if (!rule.in.includes(state) || rule.when?.(facts, data, at) === false) return undefined
  return { state: rule.to ?? state, facts: { ...facts, ...rule.sets?.(facts, data, at) } }
}

/** Events that a client may send in this state. */
export function allowedIn(entity: string, state: string): readonly string[] {
  const rules = Object.entries(RULES[entity] ?? {})
  return rules.filter(([, rule]) => rule.in.includes(state) && rule.internal !== true).map(([type]) => type)
}
