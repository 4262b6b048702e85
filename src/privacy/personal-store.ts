/** The log with personal data sealed in it and open in front of it: whoever reads or writes here sees events as they were given. */
import type { KeyObject } from 'node:crypto'
import { AppError } from '../core/errors.ts'
import type { LogEvent, Origin, RecordedEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import { sealedPart } from '../core/personal.ts'
import type { Append, AppendOutcome, EventStore, Logger } from '../core/ports.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { subjectOf } from '../machines/personal.ts'
import type { PersonalKeys } from './personal-keys.ts'
import { isPersonal, openEvent, openSnapshot, sealEvent, sealSnapshot } from './sealed-data.ts'

export interface PersonalStoreOptions<Store extends EventStore> {
  readonly store: Store
  readonly keys: PersonalKeys
  readonly entities: readonly EntityDefinition[]
  readonly log: Logger
}

/** An event in the clear as it is sealed. */
export interface SealedLater {
  readonly position: number
  readonly data: JsonObject
  readonly origin: Origin | undefined
}

/** What was written before this log sealed personal data. */
export interface ClearEvents {
  /** How many events of an actor say something of a person in the clear. */
  countClear(actor: ActorRef): Promise<number>
  /** The events of an actor that say something of this user in the clear, sealed. Nothing is written. */
  sealedLater(actor: ActorRef, user: number): Promise<readonly SealedLater[]>
}

/** What leaves the node beside the log, and comes from other nodes: sealed on its way. */
export interface PersonalFrames {
  /** Events that were committed here, as the log has them. */
  sealed(events: readonly LogEvent[]): readonly LogEvent[]
  /** As far as the keys are at hand; the others are left sealed. */
  openNow(events: readonly LogEvent[]): readonly LogEvent[]
}

export function createPersonalStore<Store extends EventStore>(
  options: PersonalStoreOptions<Store>,
): Store & PersonalFrames & ClearEvents {
  const { store, keys, log } = options
  const entities = new Map(options.entities.map(entity => [entity.type, entity]))
  const stored = new WeakMap<LogEvent, LogEvent>()

  const onBroken = ({ actorType, actorId, version, position }: RecordedEvent) =>
    log.error(
      { actor: `${actorType}/${actorId}`, version, position },
      'the personal data of an event was changed or moved, and is read as erased; rootstream audit verify tells more',
    )
  const openOne = <Event extends RecordedEvent>(event: Event, key: KeyObject | null) =>
    openEvent(entities.get(event.actorType), key, event, onBroken)

  async function opened<Event extends RecordedEvent>(events: readonly Event[]): Promise<readonly Event[]> {
    const users = usersOf(events)
    if (users === undefined) return events
    const found = await keys.read(users)
    return events.map(event => {
      const part = sealedPart(event.data)
      return part === undefined ? event : openOne(event, keyOf(found, part.of))
    })
  }

  async function openedOne<Event extends RecordedEvent>(event: Event | undefined): Promise<Event | undefined> {
    return event === undefined ? undefined : (await opened([event]))[0]
  }

  async function* openedChunks<Event extends RecordedEvent>(
    chunks: AsyncIterable<readonly Event[]>,
  ): AsyncIterable<readonly Event[]> {
    for await (const events of chunks) yield await opened(events)
  }

  async function* clearEvents(actor: ActorRef): AsyncIterable<readonly LogEvent[]> {
    const entity = entities.get(actor.type)
    if (entity?.personal === undefined) return
    for await (const events of store.readStream(actor))
      yield events.filter(
        ({ type, data, origin }) => sealedPart(data) === undefined && isPersonal(entity, type, data, origin),
      )
  }

  async function appendSealed(entity: EntityDefinition, user: number, append: Append): Promise<AppendOutcome> {
    const key = keys.peek(user) ?? (await keys.make(user))
    const written = append.events.map(({ type, data }, index) => {
      const place = {
        actorType: append.actor.type,
        actorId: append.actor.id,
        version: append.expectedVersion + index + 1,
        type,
      }
      return isPersonal(entity, type, data, append.origin)
        ? sealEvent(entity, user, key, place, { data, origin: append.origin })
        : { data, origin: append.origin }
    })
    const origin = written[0]?.origin
    const answer = await store.append({
      ...append,
      events: append.events.map((event, index) => ({ ...event, data: written[index]?.data ?? event.data })),
      json: written.map(({ data }) => JSON.stringify(data)),
      ...(origin === undefined ? undefined : { origin }),
    })
    if (answer.outcome !== 'appended') return answer
    if (key === null) return { ...answer, rewritten: true }
    const given = answer.events.map((event, index) => {
      const data = append.events[index]?.data ?? event.data
      const plain = { ...event, data, ...(append.origin === undefined ? undefined : { origin: append.origin }) }
      stored.set(plain, event)
      return plain
    })
    return { ...answer, events: given }
  }

  return {
    ...store,
    append: append => {
      const entity = entities.get(append.actor.type)
      const user = append.subject
      if (entity === undefined || user === undefined) return store.append(append)
      const personal = append.events.some(({ type, data }) => isPersonal(entity, type, data, append.origin))
      return personal ? appendSealed(entity, user, append) : store.append(append)
    },
    readStream: (actor, range) => openedChunks(store.readStream(actor, range)),
    readRecorded: (actor, range) => openedChunks(store.readRecorded(actor, range)),
    readAll: async (after, limit) => opened(await store.readAll(after, limit)),
    eventAt: async position => openedOne(await store.eventAt(position)),
    findCommand: async commandId => openedOne(await store.findCommand(commandId)),
    audit: async query => {
      const page = await store.audit(query)
      return { ...page, events: await opened(page.events) }
    },
    opened,
    saveSnapshot: async (actor, snapshot) => {
      const entity = entities.get(actor.type)
      const user = entity && subjectOf(entity, actor.id, snapshot.state)
      if (user === undefined) return store.saveSnapshot(actor, snapshot)
      const key = keys.peek(user) ?? (await keys.make(user))
      // Of somebody who was erased nothing is kept but the log.
      if (key !== null) await store.saveSnapshot(actor, sealSnapshot(actor, user, key, snapshot))
    },
    loadSnapshot: async actor => {
      const snapshot = await store.loadSnapshot(actor)
      const part = snapshot && sealedPart(snapshot.state.context)
      if (snapshot === undefined || part === undefined) return snapshot
      return openSnapshot(actor, keyOf(await keys.read(new Set([part.of])), part.of), snapshot)
    },
    countClear: async actor => {
      let count = 0
      for await (const events of clearEvents(actor)) count += events.length
      return count
    },
    sealedLater: async (actor, user) => {
      const entity = entities.get(actor.type)
      const found: SealedLater[] = []
      if (entity === undefined) return found
      const key = keys.peek(user) ?? (await keys.make(user))
      for await (const events of clearEvents(actor))
        for (const event of events) {
          const { position, data, origin } = event
          found.push({ position, ...sealEvent(entity, user, key, event, { data, origin }) })
        }
      return found
    },
    sealed: events => events.map(event => stored.get(event) ?? event),
    openNow: events =>
      events.map(event => {
        const part = sealedPart(event.data)
        const key = part && keys.peek(part.of)
        return key === undefined ? event : openOne(event, key)
      }),
  }
}

/** A key is there before anything is sealed under it: where its row is gone, nobody was erased. */
function keyOf(found: ReadonlyMap<number, KeyObject | null>, user: number): KeyObject | null {
  const key = found.get(user)
  if (key !== undefined) return key
  throw new AppError(
    'corrupt_data',
    `The row of user ${user} in personal_keys is missing, so what the log says of this user cannot be read. Nothing was changed. Restore that row from a backup.`,
  )
}

/** Users whose keys are needed; undefined where nothing is sealed. */
function usersOf(events: readonly RecordedEvent[]): ReadonlySet<number> | undefined {
  let users: Set<number> | undefined
  for (const { data } of events) {
    const part = sealedPart(data)
    if (part === undefined) continue
    users ??= new Set()
    users.add(part.of)
  }
  return users
}
