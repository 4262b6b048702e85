/** The writer: appends that wait while a batch is in flight become the next batch, one statement and one commit for all. */
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import type { ActorId } from '../core/ids.ts'
import { poison } from '../core/json.ts'
import type { Append, AppendOutcome, Clock, Logger } from '../core/ports.ts'
import { isBadValue, isConnectionLoss, toAppError } from './pg-errors.ts'
import type { Pool } from './pool.ts'

export interface GroupCommitOptions {
  readonly pool: Pool
  readonly node: string
  readonly incarnation: number
  readonly clock: Clock
  readonly log: Logger
  /** How long a batch is sent again after its connection was lost. */
  readonly patienceMs?: number
}

const BATCH_EVENTS = 5_000
const BATCH_BYTES = 4 * 1024 * 1024
const QUEUE_APPENDS = 50_000
const QUEUE_BYTES = 64 * 1024 * 1024
const PATIENCE_MS = 10_000
/** A server that accepted a batch and does not answer is given up; the batch is sent again elsewhere. */
const ANSWER_TIMEOUT_MS = 10_000

interface Waiting {
  readonly append: Append
  /** JSON of each event's data, made once for the check and the statement. */
  readonly data: readonly string[]
  /** Dot number of the first event; the others follow. The same whenever the append is sent. */
  readonly n: number
  readonly bytes: number
  resolve(outcome: AppendOutcome): void
  reject(error: unknown): void
}

/** What `append_batch` answers: append number, outcome, version, position, detail. */
type AnswerRow = [a: number, outcome: string, version: number | null, position: number | null, detail: string | null]

export class GroupCommit {
  readonly #options: GroupCommitOptions
  #queue: Waiting[] = []
  #queuedBytes = 0
  #n = 0
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /** Resolves when the append is durable or was refused. Throws AppError `invalid_event`, `overloaded`, `log_unavailable`. */
  append(append: Append): Promise<AppendOutcome> {
    if (this.#closed)
      return Promise.reject(new AppError('shutting_down', 'The log is closed. The command was not taken.'))
    if (append.events.length === 0) return Promise.resolve({ outcome: 'appended', events: [] })
    const data = append.events.map(event => JSON.stringify(event.data))
    for (const [index, text] of data.entries()) {
      const why = poison(append.events[index]?.data ?? null, text)
      if (why !== undefined)
        return Promise.reject(
          new AppError(
            'invalid_event',
            `'${append.events[index]?.type}' was not written: ${why}. Nothing was changed.`,
          ),
        )
    }
    const bytes = data.reduce((sum, text) => sum + text.length + 300, 0)
    if (this.#queue.length >= QUEUE_APPENDS || this.#queuedBytes + bytes > QUEUE_BYTES)
      return Promise.reject(
        new AppError(
          'overloaded',
          'Too many appends wait for the log. This command was not taken; send it again later.',
        ),
      )
    const n = this.#n + 1
    this.#n += append.events.length
    return new Promise((resolve, reject) => {
      this.#queue.push({ append, data, n, bytes, resolve, reject })
      this.#queuedBytes += bytes
      // Everything that is sent in this turn of the event loop shares the first batch.
      this.#running ??= new Promise<void>(started => setImmediate(started)).then(() => this.#drain())
    })
  }

  /** Writes what waits, then takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#nextBatch())
    this.#running = undefined
  }

  /** From the head of the queue: each actor, command id and claim at most once; what collides keeps its turn for the next batch. */
  #nextBatch(): readonly Waiting[] {
    const batch: Waiting[] = []
    const left: Waiting[] = []
    const taken = new Set<string>()
    let events = 0
    let bytes = 0
    for (const [index, waiting] of this.#queue.entries()) {
      if (
        batch.length > 0 &&
        (events + waiting.append.events.length > BATCH_EVENTS || bytes + waiting.bytes > BATCH_BYTES)
      ) {
        for (let rest = index; rest < this.#queue.length; rest++) left.push(this.#queue[rest] as Waiting)
        break
      }
      const keys = exclusiveKeys(waiting.append)
      const free = keys.every(key => !taken.has(key))
      // Also for what stays behind, so that an actor's later appends do not overtake it.
      for (const key of keys) taken.add(key)
      if (!free) {
        left.push(waiting)
        continue
      }
      batch.push(waiting)
      events += waiting.append.events.length
      bytes += waiting.bytes
    }
    this.#queue = left
    this.#queuedBytes -= bytes
    return batch
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    try {
      this.#answer(batch, await this.#send(batch))
    } catch (error) {
      if (!isBadValue(error)) {
        const reason = toAppError(error)
        for (const { reject } of batch) reject(reason)
      } else if (batch.length === 1) {
        batch[0]?.reject(
          new AppError(
            'invalid_event',
            `Postgres cannot store this event (${(error as Error).message}). Nothing was changed.`,
            { cause: error },
          ),
        )
      } else {
        // One append holds a value that no check foresaw: halve the batch until it stands alone.
        const middle = Math.ceil(batch.length / 2)
        await this.#commit(batch.slice(0, middle))
        await this.#commit(batch.slice(middle))
      }
    }
  }

  /** Sends the batch until it is answered. It may be sent twice: `append_batch` recognises its dots. */
  async #send(batch: readonly Waiting[]): Promise<readonly AnswerRow[]> {
    const { pool, clock, log, patienceMs = PATIENCE_MS } = this.#options
    const values = [this.#eventsJson(batch), extrasJson(batch)]
    let deadline: number | undefined
    for (let attempt = 0; ; attempt++) {
      try {
        const query = {
          name: 'append_batch',
          text: 'select * from append_batch($1, $2)',
          values,
          rowMode: 'array' as const,
          query_timeout: ANSWER_TIMEOUT_MS,
        }
        return (await pool.query<AnswerRow>(query)).rows
      } catch (error) {
        if (!isConnectionLoss(error)) throw error
        deadline ??= clock.now() + patienceMs
        if (clock.now() >= deadline) throw error
        log.warn(
          { appends: batch.length, attempt, error: (error as Error).message },
          'connection lost during an append; the batch is sent again',
        )
        await new Promise<void>(resolve => clock.after(Math.min(50 * 2 ** attempt, 1_000), resolve))
      }
    }
  }

  #answer(batch: readonly Waiting[], rows: readonly AnswerRow[]): void {
    const positions = batch.map((): number[] => [])
    const refusals = new Map<number, AnswerRow>()
    for (const row of rows) {
      const [a, outcome, version, position] = row
      const expected = batch[a]?.append.expectedVersion ?? 0
      if (outcome === 'appended' || outcome === 'repeated')
        (positions[a] as number[])[(version ?? 0) - expected - 1] = position ?? 0
      else refusals.set(a, row)
    }
    batch.forEach((waiting, a) => {
      const refusal = refusals.get(a)
      if (refusal === undefined)
        waiting.resolve({ outcome: 'appended', events: this.#logEvents(waiting, positions[a] ?? []) })
      else waiting.resolve(refusalOf(refusal))
    })
  }

  #logEvents({ append, n }: Waiting, positions: readonly number[]): readonly LogEvent[] {
    const { node, incarnation } = this.#options
    return append.events.map((event, index) => {
      const position = positions[index]
      if (position === undefined) throw new Error('append_batch did not answer for every event')
      return {
        ...event,
        position,
        actorType: append.actor.type,
        actorId: append.actor.id as ActorId,
        version: append.expectedVersion + index + 1,
        node,
        incarnation,
        n: n + index,
        token: append.lease?.token ?? null,
      }
    })
  }

  // By hand, because this is the hot path: the data is JSON already, and stringifying whole rows again costs twice the time.
  #eventsJson(batch: readonly Waiting[]): string {
    const node = JSON.stringify(this.#options.node)
    const { incarnation } = this.#options
    let json = ''
    for (const [a, { append, data, n }] of batch.entries()) {
      const { actor, expectedVersion: expected, lease } = append
      for (const [index, event] of append.events.entries()) {
        json +=
          `${json === '' ? '[' : ','}{"a":${a},"actor_type":"${actor.type}","actor_id":${actor.id},"expected":${expected}` +
          `,"version":${expected + index + 1},"type":${JSON.stringify(event.type)},"schema_version":${event.schemaVersion}` +
          `,"data":${data[index]},"state":${JSON.stringify(event.state)},"at":"${event.at}","node":${node}` +
          `,"incarnation":${incarnation},"n":${n + index},"token":${lease?.token ?? null},"user_id":${event.userId}` +
          `,"command_id":${JSON.stringify(event.commandId)},"causation":${event.causation},"correlation":${JSON.stringify(event.correlation)}}`
      }
    }
    return `${json}]`
  }
}

function exclusiveKeys({ actor, events, claims, releases }: Append): readonly string[] {
  const keys = [`actor:${actor.type}/${actor.id}`]
  for (const { commandId } of events) if (commandId !== null) keys.push(`command:${commandId}`)
  for (const { kind, key } of claims ?? []) keys.push(`claim:${kind}:${key}`)
  for (const { kind, key } of releases ?? []) keys.push(`claim:${kind}:${key}`)
  return keys
}

/** Claims, timers and leases of the batch, or null: most batches have none. */
function extrasJson(batch: readonly Waiting[]): string | null {
  const extras: object[] = []
  for (const [a, { append }] of batch.entries()) {
    const { actor, claims, releases, timers, cancels, lease } = append
    const of = { a, actor_type: actor.type, actor_id: actor.id }
    if (lease !== undefined) extras.push({ ...of, op: 'lease', name: lease.name, token: lease.token })
    for (const { kind, key } of claims ?? []) extras.push({ ...of, op: 'claim', kind, key })
    for (const { kind, key } of releases ?? []) extras.push({ ...of, op: 'release', kind, key })
    for (const { name, kind, dueAt, payload } of timers ?? [])
      extras.push({ ...of, op: 'timer', name, kind, due_at: dueAt, payload })
    for (const name of cancels ?? []) extras.push({ ...of, op: 'cancel', name })
  }
  return extras.length === 0 ? null : JSON.stringify(extras)
}

function refusalOf([, outcome, , position, detail]: AnswerRow): AppendOutcome {
  switch (outcome) {
    case 'conflict':
      return { outcome }
    case 'duplicate':
      return { outcome, position: position ?? 0 }
    case 'claimed':
      return { outcome, kind: detail ?? '' }
    case 'fenced':
      return { outcome, lease: detail ?? '' }
    default:
      throw new Error(`append_batch answered '${outcome}'`)
  }
}
