/** Requests as they are drawn, before it is known which actors there are: small numbers that shrink, made real when their turn comes. */
import fc from 'fast-check'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import type { Request } from './expectations.ts'
import { idsOf, standing, type World } from './world.ts'

export interface Draft {
  readonly event: string
  /** Which actor of its type, in the order of their making, and from the first again; `MISSED` is nobody. */
  readonly who: number
  readonly value: number
  readonly version: 'any' | 'right' | 'wrong'
  /** Without a command id of its own. */
  readonly nameless: boolean
}

const NAMES = ['ana', 'ben', 'ANA', 'cyd']
const KEYS = ['key-a', 'key-b', 'key-c']
const LIFETIMES_S = [20, 3_600, 90, 20, 3_600, 0]
/** An id that is given to nobody. */
const NOBODY = 77

const CREATIONS = ['user.registered', 'stream.created', 'session.created']
const EVENTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  user: {
    'user.updated': 4,
    'user.deactivated': 3,
    'user.reactivated': 3,
    'user.deleted': 2,
    'user.erased': 1,
    'user.verified': 1,
    'user.login.recorded': 1,
    'user.password.changed': 1,
    'user.roles.changed': 1,
    'user.registered': 1,
  },
  stream: {
    'stream.started': 12,
    'viewer.joined': 5,
    'viewer.left': 3,
    'stream.stopped': 4,
    'stream.viewers.updated': 2,
    'stream.stats.updated': 2,
    'stream.renamed': 2,
    'stream.key.rotated': 3,
    'stream.deleted': 1,
    'stream.described': 1,
    'stream.visibility.changed': 1,
  },
  session: {
    'session.refreshed': 8,
    'session.revoked': 2,
    'session.closed': 1,
    'session.touched': 1,
  },
}

const MISSED = 6
const who = fc.nat({ max: MISSED })
const value = fc.nat({ max: 11 })
const version = fc.oneof(
  { weight: 8, arbitrary: fc.constant('any' as const) },
  { weight: 2, arbitrary: fc.constant('right' as const) },
  { weight: 1, arbitrary: fc.constant('wrong' as const) },
)

const nameless = fc.nat({ max: 5 }).map(n => n === 5)

const creation = (events: readonly string[]): fc.Arbitrary<Draft> =>
  fc.record({ event: fc.constantFrom(...events), who, value, version: fc.constant('any' as const), nameless })

const change = (entity: string, whom: fc.Arbitrary<number> = who): fc.Arbitrary<Draft> => {
  const events = Object.entries(EVENTS[entity] ?? {})
  const event = fc.oneof(...events.map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) })))
  return fc.record({ event, who: whom, value, version, nameless })
}

export const oneDraft: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 4, arbitrary: creation(CREATIONS) },
  { weight: 2, arbitrary: change('user') },
  { weight: 9, arbitrary: change('stream') },
  { weight: 5, arbitrary: change('session') },
)

/** What sets off an effect. */
export const oneWithEffect: fc.Arbitrary<Draft> = fc.record({
  event: fc.constantFrom('stream.started', 'stream.stopped', 'stream.deleted', 'user.deleted', 'user.erased'),
  who,
  value,
  version: fc.constant('any' as const),
  nameless: fc.constant(false),
})

/** To a user, and creations for that user, whose end comes meanwhile as often as not. */
const aroundUser = (whom: number): fc.Arbitrary<Draft> => {
  const draft = (event: fc.Arbitrary<string>) =>
    fc.record({ event, who: fc.constant(whom), value, version: fc.constant('any' as const), nameless })
  return fc.oneof(
    { weight: 1, arbitrary: draft(fc.constantFrom('user.deleted', 'user.erased')) },
    { weight: 1, arbitrary: change('user', fc.constant(whom)) },
    { weight: 4, arbitrary: draft(fc.constantFrom('stream.created', 'session.created')) },
  )
}

/** What is sent at the same time: to one actor, creations that want the same names, or creations for a user who changes. */
export const manyDrafts: fc.Arbitrary<readonly Draft[]> = fc.oneof(
  { weight: 1, arbitrary: fc.array(creation(CREATIONS), { minLength: 2, maxLength: 5 }) },
  { weight: 2, arbitrary: who.chain(whom => fc.array(aroundUser(whom), { minLength: 2, maxLength: 7 })) },
  ...['user', 'stream', 'stream', 'stream', 'session'].map(entity => ({
    weight: 1,
    arbitrary: who.chain(whom => fc.array(change(entity, fc.constant(whom)), { minLength: 2, maxLength: 7 })),
  })),
)

/** Times on air that begin in the same millisecond, or end in that in which the next begins. */
export const flickering: fc.Arbitrary<readonly Draft[]> = fc
  .record({ whom: who, from: fc.nat({ max: 1 }), length: fc.integer({ min: 3, max: 6 }), value, nameless })
  .map(({ whom, from, length, ...drawn }) =>
    Array.from({ length }, (_, index) => ({
      ...drawn,
      event: (from + index) % 2 === 0 ? 'stream.started' : 'stream.stopped',
      who: whom,
      version: 'any',
    })),
  )

export function toRequest(world: World, now: number, commandId: string | undefined, draft: Draft): Request {
  const { event, who: index, version: wanted } = draft
  const type = event.startsWith('viewer.') ? 'stream' : (event.split('.')[0] ?? '')
  const made = toEvent(world, now, draft)
  if (CREATIONS.includes(event) && !(event === 'user.registered' && wanted !== 'any'))
    return { commandId, type, id: undefined, event: made, expectedVersion: undefined }
  const id = pick(world, type, index)
  const current = standing(world, type, id).version
  const expectedVersion = wanted === 'any' ? undefined : wanted === 'right' ? current : current + 1
  return { commandId, type, id, event: made, expectedVersion }
}

function pick(world: World, type: string, index: number): number {
  const ids = idsOf(world, type)
  return index === MISSED ? NOBODY : (ids[index % ids.length] ?? NOBODY)
}

/** The same request with something else in it. */
export function otherContent({ event, ...request }: Request): Request {
  const text = event.type === 'user.registered' ? { displayName: 'other' } : { reason: 'other', description: 'other' }
  const takes = ['user.deactivated', 'user.deleted', 'stream.deleted', 'session.revoked', 'user.registered']
  if (!takes.includes(event.type))
    return { ...request, event: { type: 'user.login.recorded' }, type: 'user', id: NOBODY }
  const { description: _, ...more } = { description: '', ...text }
  return { ...request, event: { ...event, ...more } }
}

function toEvent(world: World, now: number, { event: type, who: index, value: n }: Draft): OutgoingEvent {
  const of = <Item>(items: readonly Item[]): Item => items[n % items.length] as Item
  const userId = pick(world, 'user', index)
  const expiresAt = new Date(now + 1_000 * of(LIFETIMES_S)).toISOString()
  const bytesSent = n * 1_000
  switch (type) {
    case 'user.registered':
      return {
        type,
        username: of(NAMES),
        email: `${of(NAMES).toLowerCase()}${n % 3}@example.org`,
        passwordHash: 'hash',
      }
    case 'user.updated':
      return n % 2 === 0
        ? { type, username: of(NAMES) }
        : { type, email: `${of(NAMES).toLowerCase()}${n % 3}@example.org` }
    case 'user.password.changed':
      return { type, passwordHash: `hash-${n}` }
    case 'user.roles.changed':
      return { type, roles: ['viewer'] }
    case 'stream.created':
      return { type, userId, name: `stream ${n}`, streamKey: of(KEYS) }
    case 'stream.stopped':
      return n % 2 === 0 ? { type } : { type, bytesSent }
    case 'stream.stats.updated':
      return { type, bytesSent }
    case 'stream.viewers.updated':
      return { type, viewers: n }
    case 'stream.renamed':
      return { type, name: `renamed ${n}` }
    case 'stream.described':
      return { type, description: `about ${n}` }
    case 'stream.visibility.changed':
      return { type, isPublic: n % 2 === 0 }
    case 'stream.key.rotated':
      return { type, streamKey: of(KEYS) }
    case 'session.created':
      return { type, userId, tokenHash: `token-${n}`, expiresAt, ...(n % 3 === 0 ? {} : { ipAddress: `192.0.2.${n}` }) }
    case 'session.refreshed':
      return n % 2 === 0 ? { type, expiresAt } : { type, expiresAt, tokenHash: `token-${n}` }
    default:
      return { type }
  }
}
