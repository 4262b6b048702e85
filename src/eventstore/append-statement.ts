/** One batch as the parameters of `append_batch`, and its answer as the outcome of each append. */
import type { LogEvent } from '../core/event.ts'
import type { AppendOutcome } from '../core/ports.ts'
import type { WaitingAppend } from './append-queue.ts'

/** Who writes: part of every event. */
export interface Writer {
  readonly node: string
  readonly incarnation: number
}

/** What `append_batch` answers: append number, outcome, version, position, detail. */
export type AnswerRow = [
  a: number,
  outcome: string,
  version: number | null,
  position: number | null,
  detail: string | null,
]

// By hand, because this is the hot path: the data is JSON already, and stringifying whole rows again costs twice the time.
export function eventsJson({ node, incarnation }: Writer, batch: readonly WaitingAppend[]): string {
  const writer = `"node":${JSON.stringify(node)},"incarnation":${incarnation}`
  let json = ''
  for (const [a, { append, data, n }] of batch.entries()) {
    const { actor, expectedVersion: expected, lease } = append
    for (const [index, event] of append.events.entries()) {
      json +=
        `${json === '' ? '[' : ','}{"a":${a},"actor_type":${JSON.stringify(actor.type)},"actor_id":${actor.id},"expected":${expected}` +
        `,"version":${expected + index + 1},"type":${JSON.stringify(event.type)},"schema_version":${event.schemaVersion}` +
        `,"data":${data[index]},"state":${JSON.stringify(event.state)},"at":"${event.at}",${writer}` +
        `,"n":${n + index},"token":${lease?.token ?? null},"user_id":${event.userId}` +
        `,"command_id":${JSON.stringify(event.commandId)},"causation":${event.causation},"correlation":${JSON.stringify(event.correlation)}}`
    }
  }
  return `${json}]`
}

/** Claims, timers and leases of the batch, or null: most batches have none. */
export function extrasJson(batch: readonly WaitingAppend[]): string | null {
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

/** The outcome of each append of the batch, in its order. */
export function outcomes(
  writer: Writer,
  batch: readonly WaitingAppend[],
  rows: readonly AnswerRow[],
): readonly AppendOutcome[] {
  const positions = batch.map((): number[] => [])
  const refusals = new Map<number, AppendOutcome>()
  for (const row of rows) {
    const [a, outcome, version, position] = row
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
    case 'fenced':
      return { outcome, lease: detail ?? '' }
    default:
      throw new Error(`append_batch answered '${outcome}'`)
  }
}
