/** Reads the tables of a 24.2 database as they are: rows in pages, columns nobody expects, and what its event log is worth. */
import type { Json } from '../core/json.ts'
import { type Pool, query } from '../eventstore/pool.ts'
import type { Row, View } from '../machines/define.ts'

const PAGE = 1_000

export interface LegacyRow {
  readonly id: number
  /** Without the id; undefined where a number is too large to be exact. */
  readonly row: Row | undefined
}

/** Rows by id, a page at a time. */
export async function* legacyRows(pool: Pool, view: View): AsyncIterable<readonly LegacyRow[]> {
  const columns = Object.entries(view.columns).filter(
    ([column]) => column !== 'id' && !(view.added ?? []).includes(column),
  )
  const list = columns.map(([column, type]) => `${asText(column, type)} as ${column}`).join(', ')
  let after = -1
  for (;;) {
    const rows = await query<{ legacy_id: number } & Record<string, Json>>(pool, {
      text: `select id::bigint as legacy_id, ${list} from ${view.table} where id > $1 order by id limit ${PAGE}`,
      values: [after],
    })
    if (rows.length === 0) return
    yield rows.map(({ legacy_id, ...row }) => ({ id: legacy_id, row: exact(row, view) }))
    after = rows.at(-1)?.legacy_id ?? after
  }
}

/** Times as ISO text with their microseconds, and what JSON has no form for as the text Postgres reads back. */
function asText(column: string, type: string): string {
  if (type === 'timestamp')
    return `case when isfinite(${column}) then to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else ${column}::text end`
  return type === 'inet' || type === 'bigint' ? `${column}::text` : column
}

function exact(row: Record<string, Json>, view: View): Row | undefined {
  const converted: Record<string, Json> = { ...row }
  for (const [column, value] of Object.entries(row)) {
    if (view.columns[column] !== 'bigint' || value === null) continue
    if (!Number.isSafeInteger(Number(value))) return undefined
    converted[column] = Number(value)
  }
  return converted
}

export async function tableExists(pool: Pool, table: string): Promise<boolean> {
  const [row] = await query<{ found: boolean }>(pool, {
    text: 'select to_regclass($1) is not null as found',
    values: [table],
  })
  return row?.found === true
}

export async function countRows(pool: Pool, table: string): Promise<{ rows: number; highest: number }> {
  const [row] = await query<{ rows: number; highest: number }>(pool, {
    text: `select count(*) as rows, coalesce(max(id), 0)::bigint as highest from ${table}`,
  })
  return row ?? { rows: 0, highest: 0 }
}

/** Columns that someone added: they stay in the table, and a rebuild does not know them. */
export async function addedColumns(pool: Pool, view: View): Promise<readonly string[]> {
  const rows = await query<{ column_name: string }>(pool, {
    text: `select column_name from information_schema.columns
      where table_schema = current_schema() and table_name = $1 and not column_name = any($2) order by ordinal_position`,
    values: [view.table, Object.keys(view.columns)],
  })
  return rows.map(row => row.column_name)
}

/** Ids of a page that have events already. */
export async function idsWithEvents(
  pool: Pool,
  actorType: string,
  ids: readonly number[],
): Promise<ReadonlySet<number>> {
  const rows = await query<{ actor_id: number }>(pool, {
    text: 'select actor_id from events where actor_type = $1 and actor_id = any($2) and version = 1',
    values: [actorType, ids],
  })
  return new Set(rows.map(row => row.actor_id))
}

export interface LegacyEventLog {
  readonly rows: number
  /** Rows whose aggregate and version give them a place in an order. */
  readonly orderable: number
  readonly quarantined: readonly { readonly reason: string; readonly rows: number; readonly ids: readonly number[] }[]
}

// What has no place in an order: nothing tells which aggregate it belongs to, or after which event it comes.
const REASONS = `
  select id, case
    when aggregate_type is null or aggregate_id is null then 'no aggregate'
    when version is null then 'no version'
    when version <= 0 then 'version not positive'
    when count(*) over (partition by aggregate_type, aggregate_id, version) > 1 then 'version repeated'
    end as reason
  from event_log`

/** Ids are cut at 1,000 a reason; the quarantine table has them all. */
export async function judgeEventLog(pool: Pool): Promise<LegacyEventLog> {
  const rows = await query<{ reason: string | null; rows: number; ids: string[] }>(pool, {
    text: `select reason, count(*) as rows, (array_agg(id order by id))[1:1000]::text[] as ids from (${REASONS}) judged group by reason order by reason`,
  })
  const quarantined = rows.flatMap(({ reason, rows: count, ids }) =>
    reason === null ? [] : [{ reason, rows: count, ids: ids.map(Number) }],
  )
  const orderable = rows.find(({ reason }) => reason === null)?.rows ?? 0
  return { rows: rows.reduce((sum, row) => sum + row.rows, 0), orderable, quarantined }
}

export async function quarantine(pool: Pool): Promise<void> {
  await query(pool, {
    text: `insert into legacy_event_quarantine (event_log_id, reason)
      select id, reason from (${REASONS}) judged where reason is not null on conflict do nothing`,
  })
}
