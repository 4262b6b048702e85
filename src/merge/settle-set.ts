/** What a settlement sends where a set was contested: the members that lost change sides, and all others stay. Pure. */
import type { JsonObject } from '../core/json.ts'
import type { ActorState } from '../core/state.ts'
import type { EntityDefinition } from '../machines/define.ts'

/**
 * @param state of the actor now
 * @param lost what `mergeSet` reported: the members in contest alone, so that sent as they are they would be the whole set
 * @returns the data to send; undefined where the state says so already
 */
export function settleSet(
  entity: EntityDefinition,
  state: ActorState,
  type: string,
  lost: JsonObject,
): JsonObject | undefined {
  const rule = Object.hasOwn(entity.merge, type) ? entity.merge[type] : undefined
  if (rule?.strategy !== 'orSet') throw new Error(`${type} of ${entity.type} is not merged as a set`)
  const contested = lost[rule.field]
  if (!Array.isArray(contested)) return undefined
  const now = rule.read(state)
  // Where removals win, what lost is an addition, and the other way round.
  const next = rule.wins === 'remove' ? new Set([...now, ...contested]) : new Set(now).difference(new Set(contested))
  return next.size === now.length ? undefined : { ...lost, [rule.field]: [...next].sort() }
}
