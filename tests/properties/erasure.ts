/** What an erasure leaves to be read of a user, and when: as its clients are told, apart from what the entities declare. */
import type { LogEvent } from '../../src/core/event.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { type Facts, isGone, transition } from './rules.ts'
import { idsOf, type Step, standing, type World } from './world.ts'

/** Nodes that nobody tells of an erasure may show what they know for so long. */
export const KNOWN_FOR_MS = 60_000

/** What is read in place of a field; undefined where it is absent then. */
type Placeholder = string | null | undefined | ((user: number) => string)

const NAMES: Readonly<Record<string, Placeholder>> = {
  username: user => `erased-${user}`,
  email: user => `erased-${user}@erased.invalid`,
  displayName: null,
}
const PERSONAL: Readonly<Record<string, Readonly<Record<string, Placeholder>>>> = {
  'user.registered': { ...NAMES, passwordHash: 'erased' },
  'user.updated': NAMES,
  'user.password.changed': { passwordHash: 'erased' },
  'user.deactivated': { reason: undefined },
  'user.deleted': { reason: undefined },
  'session.created': { ipAddress: undefined },
  'session.revoked': { reason: undefined },
}

/** The event as it is read without its user's key; what says nothing of a person stays as it is. */
function withoutPerson(event: LogEvent, user: number): LogEvent {
  const fields = Object.entries(PERSONAL[event.type] ?? {}).filter(([name]) => event.data[name] !== undefined)
  if (fields.length === 0) return event
  const data: Record<string, JsonObject[string]> = { ...event.data }
  for (const [name, placeholder] of fields) {
    const read = typeof placeholder === 'function' ? placeholder(user) : placeholder
    if (read === undefined) delete data[name]
    else data[name] = read
  }
  return { ...event, data, erased: true }
}

function subjectOf(type: string, id: number, facts: Facts): number | undefined {
  if (type === 'user') return id
  return type === 'session' ? Number(facts['userId']) : undefined
}

/** What the end of a user has still to bring about, before the key may go. */
export function outliving(world: World, user: number): readonly string[] {
  const owner = standing(world, 'user', user).state
  if (!isGone(owner)) return []
  const owned = (type: string) =>
    idsOf(world, type)
      .map(id => ({ name: `${type}/${id}`, ...standing(world, type, id) }))
      .filter(({ facts }) => facts['userId'] === user)
  const ended = [...owned('session'), ...owned('stream')].filter(({ state }) => state !== 'revoked' && !isGone(state))
  const told = owner === 'deleted' ? [] : owned('session').filter(({ facts }) => facts['isForgotten'] !== true)
  return [...ended.map(({ name }) => `${name} outlives its user`), ...told.map(({ name }) => `${name} knows its user`)]
}

/** Whether what is said of this user is read as erased: `true`, `false`, or where it cannot be known, either. */
function readings(world: World, user: number, now: string, knownForMs: number): readonly boolean[] {
  const { state } = standing(world, 'user', user)
  if (state === 'erasing') return outliving(world, user).length === 0 ? [false, true] : [false]
  if (state !== 'erased') return [false]
  const forgottenAt = world.actors.get(`user/${user}`)?.at(-1)?.event.at ?? now
  return Date.parse(now) - Date.parse(forgottenAt) < knownForMs ? [false, true] : [true]
}

/** The forms in which an event may be read now. */
export function forms(world: World, { event, facts }: Step, now: string, knownForMs: number): readonly LogEvent[] {
  const user = subjectOf(event.actorType, event.actorId, facts)
  if (user === undefined) return [event]
  return readings(world, user, now, knownForMs).map(erased => (erased ? withoutPerson(event, user) : event))
}

/** The form that what was found has to equal. */
export function formOf(
  world: World,
  step: Step,
  found: LogEvent | undefined,
  now: string,
  knownForMs: number,
): LogEvent | undefined {
  const possible = forms(world, step, now, knownForMs)
  return possible.find(({ erased }) => erased === found?.erased) ?? possible[0]
}

/** What a node may know of an actor at a version. */
export function factsShown(world: World, type: string, id: number, version: number, now: string): readonly Facts[] {
  const { facts } = standing(world, type, id, version)
  const user = subjectOf(type, id, facts)
  if (user === undefined) return [facts]
  return readings(world, user, now, KNOWN_FOR_MS).map(erased =>
    erased ? factsWithoutPerson(world, type, id, version, user) : facts,
  )
}

/** What history leads to where it is read without the key. */
function factsWithoutPerson(world: World, type: string, id: number, version: number, user: number): Facts {
  let now: { readonly state: string; readonly facts: Facts } = { state: 'absent', facts: {} }
  for (const { event, state } of (world.actors.get(`${type}/${id}`) ?? []).slice(0, version)) {
    const { data, at } = withoutPerson(event, user)
    const next = transition(type, now, event.type, data, at)
    if (next?.state !== state) throw new Error(`leads elsewhere without the key: ${JSON.stringify(event)}`)
    now = next
  }
  return now.facts
}
