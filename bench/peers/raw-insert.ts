/** Rows as a benchmark of plain inserts writes them, and one row a commit. */
import pg from 'pg'

/** Column → Postgres type. Those without a value in these rows are not sent. */
const SENT: Readonly<Record<string, string>> = {
  actor_type: 'text',
  actor_id: 'bigint',
  version: 'integer',
  type: 'text',
  schema_version: 'smallint',
  state: 'text',
  at: 'timestamptz',
  node: 'text',
  incarnation: 'bigint',
  n: 'bigint',
}
const COLUMNS = Object.keys(SENT).join(', ')
const ARRAYS = Object.values(SENT).map((type, index) => `$${index + 2}::${type}[]`)

/** The fastest plain way we know: an array a column, and the data as one JSON array. As JSON records it takes half as long again. */
export const INSERT = `
  insert into events (data, ${COLUMNS})
  select * from rows from (jsonb_array_elements($1), unnest(${ARRAYS.join(', ')})) as r returning position`

/** The parameters of `INSERT`. */
export function parameters(rows: readonly Row[]): unknown[] {
  const columns = Object.keys(SENT).map(column => `{${rows.map(row => row[column as keyof typeof row]).join()}}`)
  return [`[${rows.map(({ data }) => data).join()}]`, ...columns]
}

/** One row and one commit each, on as many connections as a node would have. */
export async function openSingleRow(url: string): Promise<{ insert(): Promise<unknown>; close(): Promise<void> }> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  let n = 0
  return {
    insert: () => pool.query({ name: 'raw_single', text: INSERT, values: parameters([row(n++)]) }),
    close: () => pool.end(),
  }
}

type Row = ReturnType<typeof row>

/** No text of it needs quotes within an array but the time. */
export function row(n: number) {
  return {
    actor_type: 'raw',
    actor_id: 1 + (n % 5_000),
    version: 1 + Math.floor(n / 5_000),
    type: 'stream.stats.updated',
    schema_version: 1,
    data: JSON.stringify({ bitrateKbps: 6_000 + (n % 100), fps: 60, bytesSent: n * 1_000 }),
    state: 'live',
    at: `"${new Date().toISOString()}"`,
    node: 'bench',
    incarnation: 1,
    n,
  }
}
