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

// By hand, because this is the hot path: the data is JSON already, and stringifying whole rows again costs twice the time.
export function eventsJson(batch: readonly WaitingAppend[]): string {
  let json = ''
  for (let a = 0; a < batch.length; a++) {
    const { append, data, n } = batch[a] as WaitingAppend
    const { actor, expectedVersion: expected, lease, events } = append
    const head = `"a":${a},"actor_type":${JSON.stringify(actor.type)},"actor_id":${actor.id},"expected":${expected}`
    const token = lease === undefined ? '' : `,"token":${lease.token}`
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as NewEvent
      json +=
        `${json === '' ? '[{' : ',{'}${head},"version":${expected + index + 1},"n":${n + index}${token}` +
        `,"type":${JSON.stringify(event.type)},"schema_version":${event.schemaVersion}` +
        `,"data":${data[index]},"state":${JSON.stringify(event.state)},"at":"${event.at}"`
      if (event.userId !== null) json += `,"user_id":${event.userId}`
      if (event.commandId !== null) json += `,"command_id":${JSON.stringify(event.commandId)}`
      if (event.causation !== null) json += `,"causation":${event.causation}`
      if (event.correlation !== null) json += `,"correlation":${JSON.stringify(event.correlation)}`
      json += '}'
    }
  }
  return `${json}]`
}

export function eventCount(batch: readonly WaitingAppend[]): number {
  let count = 0
  for (const { append } of batch) count += append.events.length
  return count
}

/** Claims, references, timers and leases of the batch, or null: most batches have none. */
export function extrasJson(batch: readonly WaitingAppend[]): string | null {
  const extras: object[] = []
  for (const [a, { append }] of batch.entries()) {
    const { actor, claims, releases, references, timers, cancels, lease } = append
    const of = { a, actor_type: actor.type, actor_id: actor.id }
    if (lease !== undefined) extras.push({ ...of, op: 'lease', name: lease.name, token: lease.token })
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
    return batch.map(waiting => ({
      outcome: 'appended',
      events: logEvents(
        writer,
        waiting,
        waiting.append.events.map(() => position++),
      ),
    }))
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
      refusals.get(a) ?? { outcome: 'appended', events: logEvents(writer, waiting, positions[a] as number[]) },
  )
}

function logEvents(
  { node, incarnation }: Writer,
  { append, n }: WaitingAppend,
  positions: readonly number[],
): readonly LogEvent[] {
  return append.events.map((event, index) => {
    const position = positions[index]
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
    default:
      throw new Error(`append_batch answered '${outcome}'`)
  }
}
