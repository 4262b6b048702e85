/** Rebuilding the read tables from the log, beside reading the whole log by keyset and doing nothing with it. */
import { createPgEventStore, type PgEventStore } from '../src/eventstore/pg-event-store.ts'
import { query, queryArrays } from '../src/eventstore/pool.ts'
import { entities } from '../src/machines/index.ts'
import { createProjections } from '../src/projections/projections.ts'
import { rebuild as rebuildTables } from '../src/projections/rebuild.ts'
import { systemClock } from '../src/system-clock.ts'
import type { Bench } from './bench.ts'
import { compare } from './measure.ts'
import { SILENT } from './silent.ts'

const EVENTS_A_STREAM = 100
const PAGE = 5_000

export const rebuild: Bench = async ({ server, quick, progress }) => {
  const streams = quick ? 1_000 : 10_000
  const store = await createPgEventStore({
    url: await server.database(),
    node: 'bench',
    clock: systemClock,
    log: SILENT,
  })
  const projections = createProjections({ store, pool: store.pool, entities, clock: systemClock, log: SILENT })
  try {
    progress(`writing ${streams * EVENTS_A_STREAM} events of ${streams} streams`)
    await writeLog(store, streams)
    progress('projecting them once')
    await projections.start()
    await projections.caughtUp()
    const { figures, ratio } = await compare(
      [
        {
          name: 'rebuild',
          run: async () => {
            const { tables, position } = await rebuildTables({
              store,
              pool: store.pool,
              entities,
              log: SILENT,
              fresh: true,
            })
            const rows = tables.find(({ table }) => table === 'streams')?.rows
            if (rows !== streams) throw new Error(`${rows} streams were rebuilt`)
            return position
          },
        },
        { name: 'raw keyset read', run: () => readRaw(store) },
      ],
      { rounds: 5, postmaster: server.pid, progress },
    )
    return {
      ours: { rebuild: figures.get('rebuild') },
      peers: { rawKeysetRead: figures.get('raw keyset read') },
      ratio: { rebuildToRawKeysetRead: ratio('rebuild', 'raw keyset read') },
      unit: 'events',
      events: await store.head(),
    }
  } finally {
    await projections.stop()
    await store.close()
  }
}

/** A log as a busy evening leaves it: the events of all streams mixed. By SQL, because to write it is not what is measured. */
async function writeLog({ pool }: PgEventStore, streams: number): Promise<void> {
  const insert = (select: string, values: readonly unknown[]) =>
    query(pool, {
      text: `insert into events (actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n) ${select}`,
      values,
    })
  await insert(
    `select 'user', 1, 1, 'user.registered', 1,
       '{"username": "bench", "email": "bench@example.org", "passwordHash": "$2b$12$bench"}'::jsonb, 'active', now(), 'bench', 1, 0`,
    [],
  )
  await insert(
    `select 'stream', id, 1, 'stream.created', 1,
       jsonb_build_object('userId', 1, 'name', 'stream ' || id, 'streamKey', 'key-' || id), 'idle', now(), 'bench', 1, id
     from generate_series(1, $1::integer) id`,
    [streams],
  )
  await insert(
    `select 'stream', id, 2, 'stream.started', 2, '{"bitrateKbps": 6000}'::jsonb, 'live', now(), 'bench', 1, id
     from generate_series(1, $1::integer) id`,
    [streams],
  )
  // In pieces, each within the time limit of a statement.
  for (let version = 3; version <= EVENTS_A_STREAM; version += 7)
    await insert(
      `select 'stream', id, version, 'stream.stats.updated', 1,
         jsonb_build_object('bitrateKbps', 6000 + version, 'fps', 60, 'bytesSent', version * 1000), 'live', now(), 'bench', 1, id
       from generate_series($2::integer, least($2 + 6, ${EVENTS_A_STREAM})) version, generate_series(1, $1::integer) id`,
      [streams, version],
    )
  await query(pool, { text: 'vacuum analyze events' })
}

/** The fastest plain way we know: whole events in pages by position, rows as arrays, the data parsed. */
async function readRaw({ pool }: PgEventStore): Promise<number> {
  let after = 0
  let read = 0
  for (;;) {
    const rows = await queryArrays<[position: number, data: string, ...rest: unknown[]]>(pool, {
      name: 'raw_keyset',
      text: `select position, data::text, actor_type, actor_id, version, type, schema_version, state, at, node, incarnation, n,
               user_id, command_id, causation, correlation, token
             from events where position > $1 order by position limit ${PAGE}`,
      values: [after],
    })
    for (const [, data] of rows) JSON.parse(data)
    read += rows.length
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return read
    after = last[0]
  }
}
