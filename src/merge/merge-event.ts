/** The decision of the drain: what is appended of an event that was accepted while the log was away. Pure. */
import { AppError } from '../core/errors.ts'
import { parseHybridTime } from '../core/hybrid-clock.ts'
import type { JsonObject } from '../core/json.ts'
import type { ActorState } from '../core/state.ts'
import { decide, stamp } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { Merged, MergeRule, OffsideEvent } from '../machines/merge-rules.ts'
import { mergeFields } from './merge-fields.ts'
import { mergeSet } from './merge-set.ts'
import { mergeTotal } from './merge-total.ts'

export type { MergeConflict, Merged, OffsideEvent } from '../machines/merge-rules.ts'

/**
 * @param state of the head of the log
 * @param beside events of the log that are concurrent with it, in order
 * @returns what to append on top of the head; the machine takes it there
 */
export function mergeEvent(
  entity: EntityDefinition,
  state: ActorState,
  event: OffsideEvent,
  beside: readonly OffsideEvent[],
): Merged {
  const rule = ruleOf(entity, event.type)
  if (rule === undefined)
    throw new Error(`${event.type} of ${entity.type} has no merge rule: it is never accepted alone`)
  if (beside.some(other => rule.endedBy?.includes(other.type))) return { outcome: 'absorbed' }
  const merged = mergeBy(rule, state, event, beside)
  if (merged.outcome === 'absorbed') return merged
  // Erased, ended or not there: the machine has the last word, and no conflict keeps what it would not take.
  return takes(entity, state, event, merged.data) ? merged : { outcome: 'absorbed' }
}

/**
 * Whether an event may be accepted while the log is away.
 * @param on what it says, and the state it is decided on. Without it the answer is for the type alone: what the entity
 *   asks of single events (no new names, no grants) is then not looked at.
 */
export function isMergeable(
  entity: EntityDefinition,
  type: string,
  on?: { readonly state: ActorState; readonly data: JsonObject },
): boolean {
  const rule = ruleOf(entity, type)
  if (rule === undefined) return false
  return on === undefined || rule.accepts?.(on.state, on.data) !== false
}

/** What is to be kept with an event accepted without the log, of the state it is decided on; undefined where nothing is. */
export function observe(entity: EntityDefinition, state: ActorState, type: string): JsonObject | undefined {
  const rule = ruleOf(entity, type)
  if (rule?.strategy === 'sumByNode') return { [rule.field]: rule.read(state) }
  if (rule?.strategy === 'orSet') return { [rule.field]: rule.read(state) }
  return undefined
}

function ruleOf(entity: EntityDefinition, type: string): MergeRule | undefined {
  return Object.hasOwn(entity.merge, type) ? entity.merge[type] : undefined
}

function mergeBy(rule: MergeRule, state: ActorState, event: OffsideEvent, others: readonly OffsideEvent[]): Merged {
  switch (rule.strategy) {
    case 'counter':
      return { outcome: 'applied', data: event.data }
    case 'lww':
      return mergeFields(
        rule.fields,
        event,
        others.filter(other => other.type === event.type),
      )
    case 'sumByNode':
      return mergeTotal(rule.field, rule.read(state), event)
    case 'orSet':
      return mergeSet(
        rule,
        rule.read(state),
        event,
        others.filter(other => other.type === event.type),
      )
    case 'lattice': {
      const here = typeof state.value === 'string' ? rule.order.indexOf(state.value) : -1
      return here >= rule.order.indexOf(rule.to) ? { outcome: 'absorbed' } : { outcome: 'applied', data: event.data }
    }
    case 'custom':
      return rule.merge({ state, event, beside: others })
  }
}

function takes(entity: EntityDefinition, state: ActorState, event: OffsideEvent, data: JsonObject): boolean {
  const time = parseHybridTime(event.clock)
  if (time === undefined)
    throw new AppError(
      'corrupt_data',
      `The time of a ${event.type} that waits to be merged cannot be read. The log is unchanged and the event is kept. Inspect the journal.`,
    )
  return decide(entity, state, stamp(event.type, new Date(time.wall).toISOString(), data)) !== undefined
}
