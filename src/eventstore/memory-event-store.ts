/** The event log in memory: the same promises, kept until the process ends. */
import { chunksOf } from '../core/chunks.ts'
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorId, type ActorRef, formatActorRef, parseActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type {
  ActorHead,
  Append,
  AppendOutcome,
  AuditPage,
  AuditQuery,
  Clock,
  EventStore,
  StreamRange,
  TimerSet,
} from '../core/ports.ts'
import type { Register } from '../core/register.ts'
import { isWithin, type Snapshot } from '../core/state.ts'
import { checkAppend } from './check-append.ts'
import { IdBlocks } from './id-blocks.ts'
import { MemoryStarts } from './memory-register.ts'

interface StoredTimer extends TimerSet {
  readonly actor: ActorRef
  attempts: number
  takenUntil: number
}

/** What several nodes of one process share. */
export interface MemoryLog {
  readonly events: LogEvent[]
  readonly streams: Map<string, LogEvent[]>
  readonly commands: Map<string, LogEvent>
  readonly claims: Map<string, string>
  readonly timers: Map<string, StoredTimer>
  readonly snapshots: Map<string, Snapshot>
  readonly leases: Map<string, { holder: string; token: number; expiresAt: number }>
  readonly nextIds: Map<string, number>
  readonly starts: MemoryStarts
}

export function createMemoryLog(): MemoryLog {
  return {
    events: [],
    streams: new Map(),
    commands: new Map(),
    claims: new Map(),
    timers: new Map(),
    snapshots: new Map(),
    leases: new Map(),
    nextIds: new Map(),
    starts: new MemoryStarts(),
  }
}

const CHUNK = 1_000
const MAX_PAGE = 1_000

export function createMemoryEventStore({
  node,
  clock,
  log = createMemoryLog(),
}: {
  node: string
  clock: Clock
  log?: MemoryLog
}): EventStore & { readonly incarnation: number; readonly installation: string; readonly register: Register } {
  const incarnation = log.starts.add(node)
  let n = 0
  let closed = false
  const ids = new IdBlocks(async (type, size) => {
    const first = log.nextIds.get(type) ?? 1
    log.nextIds.set(type, first + size)
    return first
  })
  const stream = (actor: ActorRef) => log.streams.get(formatActorRef(actor)) ?? []

  async function* inChunks(actor: ActorRef, range: StreamRange = {}): AsyncIterable<readonly LogEvent[]> {
    yield* chunksOf(stream(actor).slice((range.from ?? 1) - 1, range.to), CHUNK)
  }

  /** The rules of `append_batch`, in its order of precedence. */
  const refuse = (append: Append): Exclude<AppendOutcome, { outcome: 'appended' }> | undefined => {
    for (const { commandId } of append.events) {
      const spent = commandId === null ? undefined : log.commands.get(commandId)
      if (spent !== undefined) return { outcome: 'duplicate', position: spent.position }
    }
    if (stream(append.actor).length !== append.expectedVersion) return { outcome: 'conflict' }
    const sealed = append.origin && log.starts.sealedBefore(append.origin)
    if (sealed !== undefined) return { outcome: 'sealed', start: sealed }
    if (append.lease !== undefined && log.leases.get(append.lease.name)?.token !== append.lease.token)
      return { outcome: 'fenced', lease: append.lease.name }
    const missing = append.references?.find(reference => {
      const last = stream(reference).at(-1)
      return last === undefined || isWithin(last.state, reference.goneIn)
    })
    if (missing !== undefined) return { outcome: 'missing', reference: formatActorRef(missing) }
    const taken = append.claims?.find(({ kind, key }) => {
      const holder = log.claims.get(claimKey(kind, key))
      return holder !== undefined && holder !== formatActorRef(append.actor)
    })
    return taken === undefined ? undefined : { outcome: 'claimed', kind: taken.kind }
  }

  const write = (append: Append, data: readonly string[]): readonly LogEvent[] => {
    const actor = formatActorRef(append.actor)
    const events = append.events.map(
      (event, index): LogEvent => ({
        ...event,
        // As a server would give it back: a copy, and plain JSON.
        data: JSON.parse(data[index] ?? '') as JsonObject,
        position: (log.events.at(-1)?.position ?? 0) + index + 1,
        actorType: append.actor.type,
        actorId: append.actor.id,
        version: append.expectedVersion + index + 1,
        node,
        incarnation,
        n: ++n,
        token: append.lease?.token ?? null,
        ...(append.origin === undefined ? undefined : { origin: append.origin }),
      }),
    )
    log.events.push(...events)
    const stored = log.streams.get(actor)
    if (stored === undefined) log.streams.set(actor, [...events])
    else stored.push(...events)
    if (append.origin !== undefined) log.starts.logged(append.origin)
    for (const event of events) if (event.commandId !== null) log.commands.set(event.commandId, event)
    for (const { kind, key } of append.releases ?? [])
      if (log.claims.get(claimKey(kind, key)) === actor) log.claims.delete(claimKey(kind, key))
    for (const { kind, key } of append.claims ?? []) log.claims.set(claimKey(kind, key), actor)
    for (const name of append.cancels ?? []) log.timers.delete(`${actor}:${name}`)
    for (const timer of append.timers ?? [])
      log.timers.set(`${actor}:${timer.name}`, {
        ...structuredClone(timer),
        actor: append.actor,
        attempts: 0,
        takenUntil: 0,
      })
    return events
  }

  return {
    incarnation,
    installation: 'memory',
    register: log.starts.register(clock, incarnation),
    append: async append => {
      // As with a server, the caller goes on before the answer is there.
      await undefined
      if (closed) throw new AppError('shutting_down', 'The log is closed. The command was not taken.')
      const data = checkAppend(append)
      return refuse(append) ?? { outcome: 'appended', events: write(append, data) }
    },
    readStream: inChunks,
    readRecorded: inChunks,
    readAll: async (after, limit) => {
      // Positions are 1, 2, 3, … here.
      return log.events.slice(after, after + limit)
    },
    head: async () => log.events.at(-1)?.position ?? 0,
    eventAt: async position => log.events[position - 1],
    findCommand: async commandId => log.commands.get(commandId),
    holderOf: async ({ kind, key }) => {
      const holder = log.claims.get(claimKey(kind, key))
      return holder === undefined ? undefined : parseActorRef(holder)
    },
    audit: async query => audit(log.events, query),
    opened: async events => events,
    listActors: async (type, after, limit) => listActors(log, type, after, limit),
    loadSnapshot: async actor => structuredClone(log.snapshots.get(formatActorRef(actor))),
    saveSnapshot: async (actor, snapshot) => {
      const stored = log.snapshots.get(formatActorRef(actor))
      if (stored === undefined || snapshot.version > stored.version)
        log.snapshots.set(formatActorRef(actor), structuredClone(snapshot))
    },
    nextId: type => ids.next(type),
    reserveIds: async (type, highest) => {
      log.nextIds.set(type, Math.max(log.nextIds.get(type) ?? 1, highest + 1))
      ids.forget(type)
    },
    takeDueTimers: async (now, limit, holdMs) => {
      const time = Date.parse(now)
      const due = [...log.timers.values()]
        .filter(timer => Date.parse(timer.dueAt) <= time && timer.takenUntil <= time)
        .sort((a, b) => Date.parse(a.dueAt) - Date.parse(b.dueAt))
        .slice(0, limit)
      return due.map(timer => {
        timer.takenUntil = time + holdMs
        timer.attempts++
        const { takenUntil: _, ...taken } = timer
        return structuredClone(taken)
      })
    },
    settleTimer: async ({ actor, name, dueAt, attempts }) => {
      const key = `${formatActorRef(actor)}:${name}`
      const timer = log.timers.get(key)
      if (timer?.dueAt === dueAt && timer.attempts === attempts) log.timers.delete(key)
    },
    nextTimerAt: async () => {
      const times = [...log.timers.values()].map(timer => timer.takenUntil || Date.parse(timer.dueAt))
      return times.length === 0 ? undefined : new Date(Math.min(...times)).toISOString()
    },
    acquireLease: async (name, holder, ttlMs) => {
      const now = clock.now()
      const held = log.leases.get(name)
      const alive = held !== undefined && held.expiresAt > now
      if (alive && held.holder !== holder) return undefined
      const token = alive ? held.token : (held?.token ?? 0) + 1
      log.leases.set(name, { holder, token, expiresAt: now + ttlMs })
      return { name, token, expiresAt: new Date(now + ttlMs).toISOString() }
    },
    releaseLease: async (name, holder) => {
      const held = log.leases.get(name)
      if (held?.holder === holder) held.expiresAt = Math.min(held.expiresAt, clock.now())
    },
    close: async () => {
      closed = true
    },
  }
}

function audit(events: readonly LogEvent[], query: AuditQuery): AuditPage {
  const limit = Math.min(Math.max(1, query.limit ?? 100), MAX_PAGE)
  const type = query.actor?.type ?? query.actorType
  const matching = events.filter(
    event =>
      event.position > (query.after ?? 0) &&
      (query.userId === undefined || event.userId === query.userId) &&
      (type === undefined || event.actorType === type) &&
      (query.actor === undefined || event.actorId === query.actor.id) &&
      (query.type === undefined || event.type === query.type) &&
      (query.since === undefined || Date.parse(event.at) >= Date.parse(query.since)) &&
      (query.until === undefined || Date.parse(event.at) < Date.parse(query.until)),
  )
  const page = matching.slice(0, limit)
  const next = matching.length > limit ? page.at(-1)?.position : undefined
  return next === undefined ? { events: page } : { events: page, next }
}

function listActors(log: MemoryLog, type: string, after: number, limit: number): readonly ActorHead[] {
  return [...log.streams.values()]
    .flatMap(events => events.at(-1) ?? [])
    .filter(last => last.actorType === type && last.actorId > after)
    .sort((a, b) => a.actorId - b.actorId)
    .slice(0, Math.min(limit, MAX_PAGE))
    .map(({ actorId, version, state, at }) => ({ id: actorId as ActorId, version, state, at }))
}

function claimKey(kind: string, key: string): string {
  return `${kind}:${key}`
}
