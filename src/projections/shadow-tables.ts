/** Copies of the read tables, in which a rebuild works unseen; how they differ from the live ones, and how they become them. */
import type pg from 'pg'
import type { PoolClient } from '../eventstore/pool.ts'
import { assignments, differ, quoted, shadowTable, type Viewed } from './read-table.ts'

/** How a read table differs from its rebuilt copy. */
export interface TableDifference {
  readonly table: string
  /** Rows the log leads to. */
  readonly rows: number
  /** Rows the log has and the table lacks. */
  readonly missing: number
  /** Rows of actors whose log says they have none. */
  readonly extra: number
  readonly different: number
  /** Rows the log knows nothing of, such as 24.2 rows before their import. A rebuild leaves them alone. */
  readonly unknown: number
  /** Ids of up to ten missing, extra or different rows. */
  readonly examples: readonly number[]
}

const NO_HURRY_MS = 24 * 3_600_000

/** Statements over whole tables take what they take: the limit of the pool, for what hangs, is not theirs in this transaction. */
export async function liftTimeLimit(client: PoolClient): Promise<void> {
  await client.query("select set_config('statement_timeout', '0', true)")
}

/**
 * Makes the copy where there is none. Rows the log knows nothing of go into it, so that they take part in its unique
 * constraints as they do in the live table.
 */
export async function makeShadow(client: PoolClient, { type, view }: Viewed): Promise<void> {
  const shadow = quoted(shadowTable(view))
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [shadow])
  if (rows[0]?.there === true) return
  await client.query(
    `create table ${shadow} (like ${quoted(view.table)} including defaults including constraints including indexes)`,
  )
  await wholeTable(client, `insert into ${shadow} select * from ${quoted(view.table)} l where ${unknown('l')}`, [type])
}

export async function dropShadow(client: PoolClient, { view }: Viewed): Promise<void> {
  await client.query(`drop table if exists ${quoted(shadowTable(view))}`)
}

/** Statistics for the statements below: without them the planner takes a filled table for an empty one. */
export async function analyzeShadow(client: PoolClient, { view }: Viewed): Promise<void> {
  await wholeTable(client, `analyze ${quoted(shadowTable(view))}`, [])
}

export async function compareTable(client: PoolClient, { type, view }: Viewed): Promise<TableDifference> {
  const [live, shadow] = [quoted(view.table), quoted(shadowTable(view))]
  const [row] = await wholeTable<Omit<TableDifference, 'table'>>(
    client,
    `with compared as (
       select coalesce(l.id, s.id)::bigint as id,
         case when l.id is null then 'missing' when s.id is null then 'extra' else 'different' end as verdict
       from ${live} l full join ${shadow} s on s.id = l.id
       where l.id is null or (s.id is null and not ${unknown('l')}) or (s.id is not null and ${differ(view, 'l', 's')})
     )
     select (select count(*) from ${shadow} s where not ${unknown('s')}) as rows,
       count(*) filter (where verdict = 'missing') as missing,
       count(*) filter (where verdict = 'extra') as extra,
       count(*) filter (where verdict = 'different') as different,
       (select count(*) from ${live} l where ${unknown('l')}) as unknown,
       coalesce((array_agg(id order by id))[1:10], '{}') as examples
     from compared`,
    [type],
  )
  if (row === undefined) throw new Error('the comparison answered nothing')
  return { table: view.table, ...row, examples: row.examples.map(Number) }
}

/** Makes the live table what its copy is, by the differences alone: rows that are equal are not touched. */
export async function mergeShadow(client: PoolClient, { type, view }: Viewed): Promise<void> {
  const [live, shadow] = [quoted(view.table), quoted(shadowTable(view))]
  await wholeTable(
    client,
    `delete from ${live} l where not exists (select from ${shadow} s where s.id = l.id) and not ${unknown('l')}`,
    [type],
  )
  if (Object.keys(view.columns).length > 1)
    await wholeTable(
      client,
      `update ${live} l set ${assignments(view, 's')} from ${shadow} s where s.id = l.id and ${differ(view, 'l', 's')}`,
      [],
    )
  const columns = Object.keys(view.columns).map(quoted)
  await wholeTable(
    client,
    `insert into ${live} (${columns.join(', ')}) select ${columns.map(column => `s.${column}`).join(', ')}
     from ${shadow} s where not exists (select from ${live} l where l.id = s.id)`,
    [],
  )
}

/** No actor of type $1 has the id of the row. */
function unknown(row: string): string {
  return `not exists (select from events e where e.actor_type = $1 and e.actor_id = ${row}.id and e.version = 1)`
}

async function wholeTable<Result extends pg.QueryResultRow>(
  client: PoolClient,
  text: string,
  values: readonly unknown[],
): Promise<readonly Result[]> {
  // The client's own limit can only be set for each query, which the types of node-postgres do not know.
  const config: pg.QueryConfig & { query_timeout: number } = { text, values: [...values], query_timeout: NO_HURRY_MS }
  return (await client.query<Result>(config)).rows
}
