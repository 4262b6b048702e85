/** Writes the rows of many actors: all at once, or, where one of them cannot be written, all but the culprits. */
import pg from 'pg'
import { sqlState } from '../eventstore/pg-errors.ts'
import type { PoolClient } from '../eventstore/pool.ts'
import type { Row } from '../machines/define.ts'
import type { Failure, FoldedActor } from './fold.ts'
import { columnDefinitions, quoted, type ReadTable } from './read-table.ts'

export interface ActorRow {
  readonly actor: FoldedActor
  readonly table: ReadTable
  /** Null where the actor has none. */
  readonly row: Row | null
}

// The row is at fault, not the server: 22 a value, 23 a constraint, 44 a check option, 54 a limit, P0 a trigger's refusal.
const POISON = /^(?:22|23|44|54|P0)/

/** Whether an error of a write is the fault of some row. Everything else passes, and is tried again. */
export function isPoison(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && POISON.test(sqlState(error) ?? '')
}

/** One statement a table for the rows, one for those that are gone. */
export async function writeRows(client: PoolClient, rows: readonly ActorRow[]): Promise<void> {
  const tables = new Map<ReadTable, { rows: Row[]; gone: number[] }>()
  for (const { actor, table, row } of rows) {
    let change = tables.get(table)
    if (change === undefined) {
      change = { rows: [], gone: [] }
      tables.set(table, change)
    }
    if (row === null) change.gone.push(actor.ref.id)
    else change.rows.push(row)
  }
  for (const [table, change] of tables) {
    await table.delete(client, change.gone)
    await table.upsert(client, change.rows)
  }
}

/**
 * Writes what can be written and answers whose rows cannot; those stay as they are stored. Halves what fails until the
 * culprits are alone. A row that only waits for a name which another row of this page gives up is written with that one.
 */
export async function writeIsolating(client: PoolClient, rows: readonly ActorRow[]): Promise<readonly Failure[]> {
  const failures: Failure[] = []
  const waiting = new Map<ActorRow, string>()
  const fail = ({ actor }: ActorRow, error: string) =>
    failures.push({ ref: actor.ref, position: actor.position, error })

  const write = async (group: readonly ActorRow[]): Promise<void> => {
    const error = await attempt(client, group)
    if (error === undefined) return
    const [only, second] = group
    if (only !== undefined && second === undefined) {
      if (sqlState(error) === UNIQUE) waiting.set(only, describe(error))
      else fail(only, describe(error))
      return
    }
    const half = Math.ceil(group.length / 2)
    await write(group.slice(0, half))
    await write(group.slice(half))
  }
  // Who came later stands back where two want the same.
  await write(rows.toSorted((a, b) => a.actor.position - b.actor.position))

  for (const [first, error] of waiting) {
    const group = [first]
    for (;;) {
      const refused = await attempt(client, group)
      if (refused === undefined) break
      const holders = await holdersOf(client, refused, group)
      const joining = [...waiting.keys()].filter(
        row => !group.includes(row) && row.table === first.table && holders.has(row.actor.ref.id),
      )
      if (joining.length === 0) {
        fail(first, error)
        group.splice(1)
        break
      }
      group.push(...joining)
    }
    for (const row of group) waiting.delete(row)
  }
  return failures
}

const UNIQUE = '23505'

/** Undefined where the rows are written and no constraint is broken; otherwise nothing is written. */
async function attempt(client: PoolClient, group: readonly ActorRow[]): Promise<pg.DatabaseError | undefined> {
  if (group.length === 0) return undefined
  await client.query('savepoint attempt')
  try {
    await writeRows(client, group)
    await client.query('set constraints all immediate')
  } catch (error) {
    if (!isPoison(error)) throw error
    await client.query('rollback to savepoint attempt; release savepoint attempt')
    return error
  }
  // Deferred again: the next group may exchange names within itself too.
  await client.query('release savepoint attempt; set constraints all deferred')
  return undefined
}

/** Ids of the stored rows that hold what the group asks for, by the constraint that refused it. */
async function holdersOf(
  client: PoolClient,
  { constraint, table: name }: pg.DatabaseError,
  group: readonly ActorRow[],
): Promise<ReadonlySet<number>> {
  const table = group.find(row => row.table.name === name)?.table
  if (table === undefined || constraint === undefined) return new Set()
  const columns = await uniqueColumns(client, table.name, constraint)
  if (columns.length === 0 || !columns.every(column => Object.hasOwn(table.view.columns, column))) return new Set()
  const wanted = group.flatMap(({ row }) => (row === null ? [] : [row]))
  const { rows } = await client.query<{ id: number }>(
    `select distinct t.id::bigint as id from ${quoted(table.name)} t
     join json_to_recordset($1) as r (${columnDefinitions(table.view)})
       on ${columns.map(column => `t.${quoted(column)} = r.${quoted(column)}`).join(' and ')}
     where t.id <> r.id`,
    [JSON.stringify(wanted)],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Columns of a unique constraint or index; none where it is made of expressions. */
async function uniqueColumns(client: PoolClient, table: string, constraint: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string | null }>(
    `select a.attname::text as name
     from pg_index i
     join pg_class c on c.oid = i.indexrelid and c.relname = $2
     cross join unnest(i.indkey::int2[]) k (attnum)
     left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = to_regclass($1)`,
    [quoted(table), constraint],
  )
  return rows.some(({ name }) => name === null) ? [] : rows.flatMap(({ name }) => (name === null ? [] : [name]))
}

/** What Postgres said, without the value it quotes. */
function describe(error: pg.DatabaseError): string {
  return error.message.replace(/: ".*$/s, '')
}
