/** Rows as a benchmark of plain inserts writes them, and one row a commit. */
import pg from 'pg'

const COLUMNS =
  'actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n, user_id, command_id, causation, correlation, token'
const TYPES =
  'actor_type text, actor_id bigint, version integer, type text, schema_version smallint, data jsonb, state text, at timestamptz, node text, incarnation bigint, n bigint, user_id bigint, command_id text, causation bigint, correlation text, token bigint'

export const INSERT = `insert into events (${COLUMNS}) select ${COLUMNS} from json_to_recordset($1) as r (${TYPES}) returning position`

/** One row and one commit each, on as many connections as a node would have. */
export async function openSingleRow(url: string): Promise<{ insert(): Promise<unknown>; close(): Promise<void> }> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  let n = 0
  return {
    insert: () => pool.query({ name: 'raw_single', text: INSERT, values: [JSON.stringify([row(n++)])] }),
    close: () => pool.end(),
  }
}

/** Columns without a value are left out, as they are in a batch of ours. */
export function row(n: number): object {
  return {
    actor_type: 'raw',
    actor_id: 1 + (n % 5_000),
    version: 1 + Math.floor(n / 5_000),
    type: 'stream.stats.updated',
    schema_version: 1,
    data: { bitrateKbps: 6_000 + (n % 100), fps: 60, bytesSent: n * 1_000 },
    state: 'live',
    at: new Date().toISOString(),
    node: 'bench',
    incarnation: 1,
    n,
  }
}
