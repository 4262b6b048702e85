/** Writes of live figures: checked against what the entity declares, and kept where they have to wait. */
import { AppError } from '../core/errors.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import { fits, type LiveDefinition, type LiveValue } from '../machines/live-fields.ts'
import type { LiveWrites } from './api.ts'
import type { Subject } from './replica.ts'
import { DRIFT_MS } from './stamps.ts'

export interface Write {
  readonly field: string
  readonly value: LiveValue
  readonly add: boolean
}

export function writesOf({ set = {}, add = {} }: LiveWrites): readonly Write[] {
  return [
    ...Object.entries(set).map(([field, value]) => ({ field, value, add: false })),
    ...Object.entries(add).map(([field, value]) => ({ field, value, add: true })),
  ]
}

/** Throws AppError `invalid_input`. */
export function checkWrite(actor: ActorRef, { fields }: LiveDefinition, write: Write, now: number): void {
  const { field, value, add } = write
  const rule = Object.hasOwn(fields, field) ? fields[field] : undefined
  const gauge = rule?.rule === 'sumByNode'
  const fitting = add
    ? Number.isSafeInteger(value) && (gauge || (rule?.rule === 'counter' && Number(value) >= 0))
    : rule !== undefined && rule.rule !== 'counter' && fits(rule, value, now, DRIFT_MS)
  if (!fitting)
    throw new AppError(
      'invalid_input',
      `'${field.slice(0, 60)}' of ${formatActorRef(actor)} is no live figure, or cannot be given that value in that way. Nothing was changed.`,
    )
}

/** Writes of actors of which the log has not said which time they are in; merged by field, so that they stay few. */
export interface WaitingWrites {
  has(subject: Subject): boolean
  add(subject: Subject, write: Write): void
  /** Removes them. */
  take(subject: Subject): readonly Write[]
}

export function createWaitingWrites(): WaitingWrites {
  const waiting = new Map<Subject, Map<string, { readonly set?: LiveValue | undefined; readonly added: number }>>()
  return {
    has: subject => waiting.has(subject),
    add(subject, { field, value, add }) {
      let fields = waiting.get(subject)
      if (fields === undefined) {
        fields = new Map()
        waiting.set(subject, fields)
      }
      const known = fields.get(field) ?? { added: 0 }
      const isMax = subject.definition.fields[field]?.rule === 'max'
      if (add) fields.set(field, { ...known, added: known.added + Number(value) })
      else fields.set(field, { set: isMax ? Math.max(Number(known.set ?? 0), Number(value)) : value, added: 0 })
    },
    take(subject) {
      const fields = [...(waiting.get(subject) ?? [])]
      waiting.delete(subject)
      return fields.flatMap(([field, { set, added }]) => [
        ...(set === undefined ? [] : [{ field, value: set, add: false }]),
        ...(added === 0 ? [] : [{ field, value: added, add: true }]),
      ])
    },
  }
}
