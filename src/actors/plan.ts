/** Decides a batch of commands on a known state and writes down what to append for them. */
import type { NewEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Append, Claim, Clock, TimerSet } from '../core/ports.ts'
import type { Refusal, RefusalReason } from '../core/result.ts'
import { type ActorState, formatStateValue } from '../core/state.ts'
import type { AppendSpans } from '../core/tracing.ts'
import { allowedEvents, type Decision, decide, stamp } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { subjectOf } from '../machines/personal.ts'
import type { Command } from './command.ts'
import type { Loaded } from './load.ts'

/** A command the machine took, with what it leads to. */
interface Taken<Item> {
  readonly item: Item
  readonly event: NewEvent
  readonly decision: Decision
}

/** A refusal that may be told once the state it was decided on is known to be the newest. */
export interface Refused<Item> {
  readonly item: Item
  readonly refusal: Refusal
}

/** Covers the first items of a batch, in order; the rest wait for the next. */
export interface Plan<Item> {
  readonly taken: readonly Taken<Item>[]
  readonly refused: readonly Refused<Item>[]
  /** The item on which the machine threw, which ended the plan. */
  readonly failed?: { readonly item: Item; readonly error: unknown }
  readonly from: Loaded
  readonly end: Loaded
  /** Names held before, and after: the same list where nothing changed. */
  readonly held: readonly Claim[]
  readonly holds: readonly Claim[]
  /** The user whom personal data of the actor is about. */
  readonly subject: number | undefined
}

/**
 * Each command is decided on the state the one before leads to. A command that the log may refuse for itself, because it
 * changes claims or refers to other actors, has an append of its own. Pure but for the clock.
 */
export function planBatch<Item extends { readonly command: Command }>(
  clock: Pick<Clock, 'now'>,
  entity: EntityDefinition,
  ref: ActorRef,
  batch: readonly Item[],
  from: Loaded,
): Plan<Item> {
  const taken: Taken<Item>[] = []
  const refused: Refused<Item>[] = []
  const held = entity.claims(from.state)
  let end = from
  let holds = held
  for (const item of batch) {
    const { command } = item
    if (command.expectedVersion !== undefined && command.expectedVersion !== end.version) {
      refused.push({ item, refusal: refusal(entity, ref, 'wrong_version', end) })
      continue
    }
    const at = stampAfter(clock.now(), end.at)
    let decision: Decision | undefined
    try {
      decision = decide(entity, end.state, stamp(command.type, at, command.data))
    } catch (error) {
      return {
        taken,
        refused,
        failed: { item, error },
        from,
        end,
        held,
        holds,
        subject: subjectOf(entity, ref.id, end.state),
      }
    }
    if (decision === undefined) {
      refused.push({ item, refusal: refusal(entity, ref, 'not_allowed', end) })
      continue
    }
    const next = entity.claims(decision.state)
    const changesClaims = !sameClaims(holds, next)
    const alone = changesClaims || command.references.length > 0
    if (alone && taken.length > 0) break
    taken.push({ item, event: newEvent(command, at, decision.state), decision })
    end = { version: end.version + 1, state: decision.state, at }
    if (changesClaims) holds = next
    if (alone) break
  }
  if (from.clock !== undefined && end !== from) end = { ...end, clock: from.clock }
  return { taken, refused, from, end, held, holds, subject: subjectOf(entity, ref.id, end.state) }
}

/** What the plan writes: its events, the net change of claims and timers, and what they rest on. */
export function appendOf(
  ref: ActorRef,
  { taken, from, held, holds, subject }: Plan<{ readonly command: Command }>,
  lease: Append['lease'],
  spans: AppendSpans | undefined,
): Append {
  const append: Append = {
    actor: ref,
    expectedVersion: from.version,
    events: taken.map(({ event }) => event),
    json: taken.map(({ item }) => item.command.json),
    ...(spans === undefined ? undefined : { spans }),
    ...(subject === undefined ? undefined : { subject }),
  }
  const changesTimers = taken.some(({ decision }) => decision.timers.length > 0 || decision.cancels.length > 0)
  const references = taken[0]?.item.command.references ?? []
  if (lease === undefined && !changesTimers && held === holds && references.length === 0) return append
  return {
    ...append,
    references,
    claims: withoutClaims(holds, held),
    releases: withoutClaims(held, holds),
    ...timerChanges(taken, from.version),
    ...(lease === undefined ? {} : { lease }),
  }
}

/** The net change: a timer that is set and taken back within the batch never was. */
function timerChanges(taken: readonly Taken<unknown>[], version: number): Pick<Append, 'timers' | 'cancels'> {
  const timers = new Map<string, TimerSet>()
  const cancels = new Set<string>()
  taken.forEach(({ decision }, index) => {
    for (const name of decision.cancels) {
      timers.delete(name)
      cancels.add(name)
    }
    for (const timer of decision.timers) {
      cancels.delete(timer.name)
      // An effect's key is made from the version that started it: the same on every node and every run.
      const payload = timer.kind === 'effect' ? { ...timer.payload, version: version + index + 1 } : timer.payload
      timers.set(timer.name, { ...timer, payload })
    }
  })
  return { timers: [...timers.values()], cancels: [...cancels] }
}

export function refusal(
  entity: EntityDefinition,
  actor: ActorRef,
  reason: RefusalReason,
  on: Loaded,
  detail?: string,
): Refusal {
  return {
    ok: false,
    actor,
    reason,
    version: on.version,
    state: formatStateValue(on.state.value),
    allowed: allowedEvents(entity, on.state),
    ...(detail === undefined ? {} : { detail }),
  }
}

/** Time of the next event: the clock's, but never before the actor's last event. Many events share a millisecond. */
export function stampAfter(now: number, last: string | null): string {
  if (now !== lastStamp.ms) lastStamp = { ms: now, at: new Date(now).toISOString() }
  if (last === null || last <= lastStamp.at) return lastStamp.at
  return new Date(Math.max(now, Date.parse(last))).toISOString()
}

let lastStamp = { ms: 0, at: '1970-01-01T00:00:00.000Z' }

function newEvent(command: Command, at: string, state: ActorState): NewEvent {
  return {
    type: command.type,
    schemaVersion: command.schemaVersion,
    data: command.data,
    state: formatStateValue(state.value),
    at,
    userId: command.userId ?? null,
    commandId: command.commandId ?? null,
    causation: command.causation ?? null,
    correlation: command.correlation ?? null,
  }
}

export function sameClaims(a: readonly Claim[], b: readonly Claim[]): boolean {
  return a.length === b.length && withoutClaims(a, b).length === 0
}

function withoutClaims(claims: readonly Claim[], others: readonly Claim[]): readonly Claim[] {
  return claims.filter(({ kind, key }) => !others.some(other => other.kind === kind && other.key === key))
}
