/** Entities with a read table keep its row in their context, so that the view is the row and an imported one comes back as it was. */
import type { Json } from '../core/json.ts'
import type { ActorState } from '../core/state.ts'
import type { View } from './define.ts'

/** A context that holds the row of its read table, without the id. */
export interface WithRow<Columns> {
  readonly row: Columns | null
}

/** The row with some columns changed. An actor that has none yet cannot get here: that is a bug. */
export function changed<Columns extends object>(row: Columns | null, changes: Partial<Columns>): Columns {
  if (row === null) throw new Error('an actor without a row was changed')
  return { ...row, ...changes }
}

/**
 * The view of such an entity.
 * @param columns in table order; the id is an integer where they do not say otherwise
 * @param hiddenIn top-level states in which the actor has no row
 * @param added columns that 24.2 does not have
 */
export function rowView(
  table: string,
  columns: Readonly<Record<string, string>>,
  hiddenIn: readonly string[] = ['absent', 'deleted'],
  added: readonly string[] = [],
): View {
  return {
    table,
    columns: { id: 'integer', ...columns },
    added,
    row: (id, { value, context }: ActorState) => {
      const row = context.row as Readonly<Record<string, Json>> | null | undefined
      const state = typeof value === 'string' ? value : (Object.keys(value)[0] ?? '')
      return row === null || row === undefined || hiddenIn.includes(state) ? null : { id, ...row }
    },
  }
}
