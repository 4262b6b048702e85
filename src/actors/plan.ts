/** Decides a batch of commands on a known state and writes down what to append for them. */
import type { NewEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Append, Claim, Clock, TimerSet } from '../core/ports.ts'
import type { Refusal, RefusalReason } from '../core/result.ts'
import { type ActorState, formatStateValue } from '../core/state.ts'
import type { AppendSpans } from '../core/tracing.ts'
import { allowedEvents, type Decision, decide, stamp } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
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
}

export interface PlanPorts {
  readonly clock: Clock
  /** Whether an actor has events and is not gone, as of now. */
  exists(type: string, id: number): Promise<boolean>
}

/** Each command is decided on the state the one before leads to. A command that changes claims has an append of its own. */
export async function planBatch<Item extends { readonly command: Command }>(
  ports: PlanPorts,
  entity: EntityDefinition,
  ref: ActorRef,
  batch: readonly Item[],
  from: Loaded,
): Promise<Plan<Item>> {
  const taken: Taken<Item>[] = []
  const refused: Refused<Item>[] = []
  let end = from
  let claims = entity.claims(from.state)
  for (const item of batch) {
    const { command } = item
    const unmet = await precondition(ports, entity, command, end)
    if (unmet !== undefined) {
      refused.push({ item, refusal: refusal(entity, ref, unmet.reason, end, unmet.detail) })
      continue
    }
    const at = stampAfter(ports.clock, end.at)
    let decision: Decision | undefined
    try {
      decision = decide(entity, end.state, stamp(command.type, at, command.data))
    } catch (error) {
      return { taken, refused, failed: { item, error }, from, end }
    }
    if (decision === undefined) {
      refused.push({ item, refusal: refusal(entity, ref, 'not_allowed', end) })
      continue
    }
    const next = entity.claims(decision.state)
    const changesClaims = !sameClaims(claims, next)
    if (changesClaims && taken.length > 0) break
    taken.push({ item, event: newEvent(command, at, decision.state), decision })
    end = { version: end.version + 1, state: decision.state, at }
    claims = next
    if (changesClaims) break
  }
  return { taken, refused, from, end }
}

/** What the plan writes: its events, and the net change of claims and timers. */
export function appendOf(
  entity: EntityDefinition,
  ref: ActorRef,
  { taken, from, end }: Plan<unknown>,
  lease: Append['lease'],
  spans: AppendSpans | undefined,
): Append {
  const before = entity.claims(from.state)
  const after = entity.claims(end.state)
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
      const payload = timer.kind === 'effect' ? { ...timer.payload, version: from.version + index + 1 } : timer.payload
      timers.set(timer.name, { ...timer, payload })
    }
  })
  return {
    actor: ref,
    expectedVersion: from.version,
    events: taken.map(({ event }) => event),
    ...optional('claims', withoutClaims(after, before)),
    ...optional('releases', withoutClaims(before, after)),
    ...optional('timers', [...timers.values()]),
    ...optional('cancels', [...cancels]),
    ...(lease === undefined ? {} : { lease }),
    ...(spans === undefined ? undefined : { spans }),
  }
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

async function precondition(
  ports: PlanPorts,
  entity: EntityDefinition,
  command: Command,
  on: Loaded,
): Promise<{ reason: RefusalReason; detail?: string } | undefined> {
  if (command.expectedVersion !== undefined && command.expectedVersion !== on.version)
    return { reason: 'wrong_version' }
  for (const { type, id } of entity.references({ ...command.data, type: command.type }))
    if (!(await ports.exists(type, id))) return { reason: 'unknown_reference', detail: `${type}/${id}` }
  return undefined
}

/** Time of the next event: the clock's, but never before the actor's last event. */
function stampAfter(clock: Clock, last: string | null): string {
  const now = clock.now()
  return new Date(last === null ? now : Math.max(now, Date.parse(last))).toISOString()
}

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

function sameClaims(a: readonly Claim[], b: readonly Claim[]): boolean {
  return a.length === b.length && withoutClaims(a, b).length === 0
}

function withoutClaims(claims: readonly Claim[], others: readonly Claim[]): readonly Claim[] {
  return claims.filter(({ kind, key }) => !others.some(other => other.kind === kind && other.key === key))
}

function optional<Key extends string, Item>(
  key: Key,
  items: readonly Item[],
): { readonly [K in Key]?: readonly Item[] } {
  return items.length === 0 ? {} : ({ [key]: items } as { [K in Key]: readonly Item[] })
}
