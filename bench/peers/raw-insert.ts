/** The same rows into the same table by plain node-postgres: in batches, several ways, and one row a commit. */
import pg from 'pg'
import type { Side } from '../measure.ts'

const COLUMNS =
  'actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n, user_id, command_id, causation, correlation, token'
const TYPES =
  'actor_type text, actor_id bigint, version integer, type text, schema_version smallint, data jsonb, state text, at timestamptz, node text, incarnation bigint, n bigint, user_id bigint, command_id text, causation bigint, correlation text, token bigint'

const INSERT = `insert into events (${COLUMNS}) select ${COLUMNS} from json_to_recordset($1) as r (${TYPES}) returning position`

interface Batching {
  readonly rows: number
  readonly connections: number
}

const BATCHINGS: readonly Batching[] = [
  { rows: 1_000, connections: 1 },
  { rows: 5_000, connections: 1 },
  { rows: 1_000, connections: 2 },
  { rows: 5_000, connections: 2 },
]

export async function openRawInsert(
  url: string,
): Promise<{ sides(ms: number): readonly Side[]; close(): Promise<void> }> {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  let n = 0
  const insert = async (count: number) => {
    const rows: object[] = []
    for (let index = 0; index < count; index++) rows.push(row(n++))
    await pool.query({
      name: 'raw_insert',
      text: INSERT,
      values: [JSON.stringify(rows)],
      rowMode: 'array',
    } as pg.QueryConfig)
  }
  return {
    sides: ms =>
      BATCHINGS.map(({ rows, connections }) => ({
        name: `raw insert, ${rows} rows, ${connections} connection${connections > 1 ? 's' : ''}`,
        run: async () => {
          const until = performance.now() + ms
          let done = 0
          await Promise.all(
            Array.from({ length: connections }, async () => {
              while (performance.now() < until) {
                await insert(rows)
                done += rows
              }
            }),
          )
          return done
        },
      })),
    close: () => pool.end(),
  }
}

/** One row and one commit each, on as many connections as a node would have. */
export async function openSingleRow(url: string): Promise<{ insert(): Promise<unknown>; close(): Promise<void> }> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  let n = 0
  return {
    insert: () => pool.query({ name: 'raw_single', text: INSERT, values: [JSON.stringify([row(n++)])] }),
    close: () => pool.end(),
  }
}

function row(n: number): object {
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
    user_id: null,
    command_id: null,
    causation: null,
    correlation: null,
    token: null,
  }
}
