/** What an entity says of its live figures: which there are, how writes of several nodes merge, and which events keep them. */
import type { JsonObject } from '../core/json.ts'

export type LiveValue = number | string

/**
 * How writes merge.
 * - `sumByNode`: each node sets its own figure; the value is the sum over the nodes that live.
 * - `counter`: each node adds to a total of its own; the value is the sum over all nodes, also those that have gone.
 * - `max`: the largest figure any node has set.
 * - `lww`: the value that was set last.
 */
export type LiveField =
  | {
      readonly rule: 'sumByNode' | 'counter' | 'max' | 'lww'
      /** Whole numbers from 0 to this. */
      readonly max: number
      /** Milliseconds since the epoch: what lies in the future is not taken. */
      readonly time?: true
      /** Of a `max`: also the most this other field has been. */
      readonly peakOf?: string
    }
  | { readonly rule: 'lww'; readonly maxLength: number }

/** Merged values by field; absent where nobody has set one. */
export type LiveValues = Readonly<Record<string, LiveValue>>

export interface LiveDefinition {
  readonly fields: Readonly<Record<string, LiveField>>
  /** Names the time the figures belong to, in this state; undefined where there are none. Figures of two times never mix. */
  period(state: string, context: JsonObject): string | undefined
  /** Totals and maxima that the log has of that time: counting goes on from them where no node is left that knows who counted. */
  kept?(context: JsonObject): LiveValues
  /** By type of the events that keep the figures: the data, or undefined where there is nothing to keep. */
  readonly flush: Readonly<Record<string, (values: LiveValues) => JsonObject | undefined>>
  /** These events are right also of what one node alone knows, so one that hears nobody tells them too. */
  readonly flushAlone?: true
  /** Whether these need not be held any more once the log has been told: it has all that there is of them. Milliseconds. */
  isAtRest?(values: LiveValues, now: number): boolean
  /** One such event an actor at most in this time, and one of each before a lifecycle event. */
  readonly flushMs: number
  /** Events after which the figures may belong to another time. */
  readonly lifecycle: readonly string[]
}

/** Whether a field may hold this value. `now` in milliseconds; `drift` is what clocks may be apart. */
export function fits(field: LiveField, value: unknown, now: number, drift = 0): value is LiveValue {
  if ('maxLength' in field)
    return typeof value === 'string' && value.length <= field.maxLength && value.isWellFormed() && !value.includes('\0')
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > field.max) return false
  return field.time !== true || value <= now + drift
}
