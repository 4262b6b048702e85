/** SQL over the read tables of views: writing rows, and comparing and merging a rebuilt copy. */
import type { PoolClient } from '../eventstore/pool.ts'
import type { Row, View } from '../machines/define.ts'

/** What one page changes in one table. */
export interface TableChange {
  readonly view: View
  readonly rows: Row[]
  /** Ids of actors that have no row any more. */
  readonly gone: number[]
}

/** Where the rows of a view go: the read table itself, or its copy while it is rebuilt. */
export type TableName = (view: View) => string

export const liveTable: TableName = view => view.table
export const shadowTable: TableName = view => `rebuild_${view.table}`

/** Lets this transaction write read tables; it need not wait for the disk, for the log can always give the rows again. */
export async function enterProjection(client: PoolClient): Promise<void> {
  await client.query(
    "select set_config('rootstream.projector', 'on', true), set_config('synchronous_commit', 'off', true)",
  )
}

export async function writeChange(
  client: PoolClient,
  name: TableName,
  { view, rows, gone }: TableChange,
): Promise<void> {
  const table = name(view)
  if (gone.length > 0)
    await client.query({ name: `delete_${table}`, text: `delete from ${table} where id = any($1)`, values: [gone] })
  if (rows.length > 0)
    await client.query({ name: `upsert_${table}`, text: upsertSql(view, table), values: [JSON.stringify(rows)] })
}

function upsertSql(view: View, table: string): string {
  const columns = Object.keys(view.columns)
  const list = columns.join(', ')
  const others = columns.filter(column => column !== 'id')
  return `
    insert into ${table} as stored (${list})
    select ${list} from json_to_recordset($1) as r (${columnTypes(view)})
    on conflict (id) do update set ${others.map(column => `${column} = excluded.${column}`).join(', ')}
    where (${others.map(column => `stored.${column}`).join(', ')}) is distinct from (${others.map(column => `excluded.${column}`).join(', ')})`
}

function columnTypes(view: View): string {
  return Object.entries(view.columns)
    .map(([column, type]) => `${column} ${type}`)
    .join(', ')
}

export async function createShadow(client: PoolClient, view: View): Promise<void> {
  await client.query(
    `create table if not exists ${shadowTable(view)} (like ${view.table} including defaults including constraints including indexes)`,
  )
}

export async function dropShadow(client: PoolClient, view: View): Promise<void> {
  await client.query(`drop table if exists ${shadowTable(view)}`)
}

/** How a read table differs from its rebuilt copy. */
export interface TableDifference {
  readonly table: string
  /** Rows of the rebuilt copy. */
  readonly rows: number
  /** Rows the log has and the table lacks. */
  readonly missing: number
  /** Rows of actors whose log says they have none. */
  readonly extra: number
  readonly different: number
  /** Rows the log knows nothing of, such as 24.2 rows before their import. A rebuild leaves them alone. */
  readonly unknown: number
  /** Some ids of missing, extra and different rows. */
  readonly examples: readonly number[]
}

export async function compareTable(client: PoolClient, actorType: string, view: View): Promise<TableDifference> {
  const { rows } = await client.query<Omit<TableDifference, 'table' | 'examples'> & { examples: number[] | null }>(
    `with compared as (
       select coalesce(l.id, s.id)::bigint as id, case
         when l.id is null then 'missing'
         when s.id is null and exists (select from events e where e.actor_type = $1 and e.actor_id = l.id and e.version = 1) then 'extra'
         when s.id is null then 'unknown'
         when ${differs(view, 'l', 's')} then 'different'
         else 'equal' end as verdict
       from ${view.table} l full join ${shadowTable(view)} s on s.id = l.id
     )
     select (select count(*) from ${shadowTable(view)}) as rows,
       count(*) filter (where verdict = 'missing') as missing,
       count(*) filter (where verdict = 'extra') as extra,
       count(*) filter (where verdict = 'different') as different,
       count(*) filter (where verdict = 'unknown') as unknown,
       (array_agg(id order by id) filter (where verdict in ('missing', 'extra', 'different')))[1:10] as examples
     from compared`,
    [actorType],
  )
  const [counts] = rows
  if (counts === undefined) throw new Error('the comparison answered nothing')
  return { table: view.table, ...counts, examples: (counts.examples ?? []).map(Number) }
}

/** Writes the differences, and nothing where there are none. */
export async function mergeShadow(client: PoolClient, actorType: string, view: View): Promise<void> {
  const shadow = shadowTable(view)
  const columns = Object.keys(view.columns)
  const others = columns.filter(column => column !== 'id')
  await client.query(
    `delete from ${view.table} l
     where not exists (select from ${shadow} s where s.id = l.id)
       and exists (select from events e where e.actor_type = $1 and e.actor_id = l.id and e.version = 1)`,
    [actorType],
  )
  await client.query(
    `update ${view.table} l set ${others.map(column => `${column} = s.${column}`).join(', ')}
     from ${shadow} s where s.id = l.id and ${differs(view, 'l', 's')}`,
  )
  await client.query(
    `insert into ${view.table} (${columns.join(', ')})
     select ${columns.map(column => `s.${column}`).join(', ')} from ${shadow} s
     where not exists (select from ${view.table} l where l.id = s.id)`,
  )
}

function differs(view: View, left: string, right: string): string {
  const others = Object.keys(view.columns).filter(column => column !== 'id')
  const of = (table: string) => others.map(column => `${table}.${column}`).join(', ')
  return `(${of(left)}) is distinct from (${of(right)})`
}
