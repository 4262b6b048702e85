/** Conflicts as the merge rules report them: what lost, and to which side. */
import type { JsonObject } from '../core/json.ts'
import type { MergeConflict } from '../machines/merge-rules.ts'

/**
 * The conflict over what either side lost, undefined where nothing was.
 * @param lost what the event wanted and the log prevailed over
 * @param beaten what the log had and the event prevailed over
 */
export function conflictOver(strategy: string, lost: JsonObject, beaten: JsonObject): MergeConflict | undefined {
  const to = (winner: 'log' | 'event', loser: JsonObject): MergeConflict | undefined => {
    const fields = Object.keys(loser)
    return fields.length === 0 ? undefined : { strategy, fields, winner, loser }
  }
  const toLog = to('log', lost)
  const toEvent = to('event', beaten)
  return toLog === undefined || toEvent === undefined ? (toLog ?? toEvent) : { ...toLog, also: toEvent }
}
