/** One batch as the parameters of `append_batch`, and its answer as the outcome of each append. */
import type { LogEvent, NewEvent } from '../core/event.ts'
import type { AppendOutcome } from '../core/ports.ts'
import type { WaitingAppend } from './append-queue.ts'

/** Who writes: part of every event. */
export interface Writer {
  readonly node: string
  readonly incarnation: number
}

/** What `append_batch` answers: append number (null where the row is about the whole batch), outcome, version, position, detail. */
export type AnswerRow = [
  a: number | null,
  outcome: string,
  version: number | null,
  position: number | null,
  detail: string | null,
]

/** What one batch is written with. It is the same text each time, so that Postgres plans it once a connection. */
export const APPEND_BATCH =
  'select * from append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)'

/** The parameters of `APPEND_BATCH`. */
export function batchParameters(writer: Writer, batch: readonly WaitingAppend[]): unknown[] {
  return [writer.node, writer.incarnation, ...eventColumns(batch), extrasJson(batch)]
}

/**
 * One array literal a column, null where nothing stands in it, and the data of all events as one JSON array.
 * By hand, because this is the hot path: Postgres reads arrays four times as fast as JSON records.
 */
function eventColumns(batch: readonly WaitingAppend[]): readonly (string | null)[] {
  const appends: number[] = []
  const actorTypes: string[] = []
  const actorIds: number[] = []
  const expected: number[] = []
  const versions: number[] = []
  const types: string[] = []
  const schemaVersions: number[] = []
  const states: string[] = []
  const times: string[] = []
  const numbers: number[] = []
  const userIds: (number | null)[] = []
  const commandIds: (string | null)[] = []
  const causations: (number | null)[] = []
  const correlations: (string | null)[] = []
  const tokens: (number | null)[] = []
  const datas: string[] = []
  for (let a = 0; a < batch.length; a++) {
    const { append, data, n } = batch[a] as WaitingAppend
    const { actor, expectedVersion, lease, events } = append
    const actorType = element(actor.type)
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as NewEvent
      appends.push(a)
      actorTypes.push(actorType)
      actorIds.push(actor.id)
      expected.push(expectedVersion)
      versions.push(expectedVersion + index + 1)
      types.push(element(event.type))
      schemaVersions.push(event.schemaVersion)
      states.push(element(event.state))
      times.push(event.at)
      numbers.push(n + index)
      userIds.push(event.userId)
      commandIds.push(event.commandId)
      causations.push(event.causation)
      correlations.push(event.correlation)
      tokens.push(lease?.token ?? null)
      datas.push(data[index] as string)
    }
  }
  return [
    ...[appends, actorTypes, actorIds, expected, versions, types, schemaVersions, states, times, numbers].map(literal),
    sparse(userIds),
    sparse(commandIds),
    sparse(causations),
    sparse(correlations),
    sparse(tokens),
    `[${datas.join()}]`,
  ]
}

function literal(elements: readonly (string | number)[]): string {
  return `{${elements.join()}}`
}

function sparse(values: readonly (string | number | null)[]): string | null {
  if (values.every(value => value === null)) return null
  return literal(values.map(value => (typeof value === 'string' ? element(value) : (value ?? 'NULL'))))
}

/** A text within an array literal. */
function element(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
}

/** Claims, references, timers and leases of the batch, or null: most batches have none. */
function extrasJson(batch: readonly WaitingAppend[]): string | null {
  const extras: object[] = []
  for (let a = 0; a < batch.length; a++) {
    const { actor, claims, releases, references, timers, cancels, lease, origin } = (batch[a] as WaitingAppend).append
    if ((claims ?? releases ?? references ?? timers ?? cancels ?? lease ?? origin) === undefined) continue
    const of = { a, actor_type: actor.type, actor_id: actor.id }
    if (lease !== undefined) extras.push({ ...of, op: 'lease', name: lease.name, token: lease.token })
    if (origin !== undefined) extras.push({ a, op: 'origin', origin })
    for (const { kind, key } of claims ?? []) extras.push({ ...of, op: 'claim', kind, key })
    for (const { kind, key } of releases ?? []) extras.push({ ...of, op: 'release', kind, key })
    for (const { type, id, goneIn } of references ?? [])
      extras.push({ a, op: 'reference', actor_type: type, actor_id: id, gone_in: goneIn })
    for (const { name, kind, dueAt, payload } of timers ?? [])
      extras.push({ ...of, op: 'timer', name, kind, due_at: dueAt, payload })
    for (const name of cancels ?? []) extras.push({ ...of, op: 'cancel', name })
  }
  return extras.length === 0 ? null : JSON.stringify(extras)
}

/** The outcome of each append of the batch, in its order. */
export function outcomes(
  writer: Writer,
  batch: readonly WaitingAppend[],
  rows: readonly AnswerRow[],
): readonly AppendOutcome[] {
  const [first] = rows
  if (first !== undefined && first[0] === null) {
    let position = first[3] ?? 0
    return batch.map(waiting => ({ outcome: 'appended', events: logEvents(writer, waiting, () => position++) }))
  }
  const positions = batch.map((): number[] => [])
  const refusals = new Map<number, AppendOutcome>()
  for (const row of rows) {
    const [a, outcome, version, position] = row
    if (a === null) throw new Error('append_batch answered for the whole batch and for parts of it')
    if (outcome === 'appended' || outcome === 'repeated')
      (positions[a] as number[])[(version ?? 0) - (batch[a]?.append.expectedVersion ?? 0) - 1] = position ?? 0
    else refusals.set(a, refusal(row))
  }
  return batch.map(
    (waiting, a) =>
      refusals.get(a) ?? { outcome: 'appended', events: logEvents(writer, waiting, index => positions[a]?.[index]) },
  )
}

function logEvents(
  { node, incarnation }: Writer,
  { append, n }: WaitingAppend,
  positionOf: (index: number) => number | undefined,
): readonly LogEvent[] {
  return append.events.map((event, index) => {
    const position = positionOf(index)
    if (position === undefined) throw new Error('append_batch did not answer for every event')
    return {
      ...event,
      position,
      actorType: append.actor.type,
      actorId: append.actor.id,
      version: append.expectedVersion + index + 1,
      node,
      incarnation,
      n: n + index,
      token: append.lease?.token ?? null,
      ...(append.origin === undefined ? undefined : { origin: append.origin }),
    }
  })
}

function refusal([, outcome, , position, detail]: AnswerRow): AppendOutcome {
  switch (outcome) {
    case 'conflict':
      return { outcome }
    case 'duplicate':
      return { outcome, position: position ?? 0 }
    case 'claimed':
      return { outcome, kind: detail ?? '' }
    case 'missing':
      return { outcome, reference: detail ?? '' }
    case 'fenced':
      return { outcome, lease: detail ?? '' }
    case 'sealed':
      return { outcome, start: detail ?? '' }
    default:
      throw new Error(`append_batch answered '${outcome}'`)
  }
}
