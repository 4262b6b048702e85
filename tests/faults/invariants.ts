/** What must hold after any fault, asked of the log by plain SQL and of the code by replay and rebuild. */
import pg from 'pg'
import { expect, vi } from 'vitest'
import { checkHistory } from '../../src/actors/replay.ts'
import { actorRef, parseActorRef } from '../../src/core/ids.ts'
import { mask } from '../../src/core/mask.ts'
import { canonicalJson, formatStateValue } from '../../src/core/state.ts'
import type { PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { fold, initialState } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { entities as registry } from '../../src/machines/index.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import type { HttpClient } from '../support/http-client.ts'
import { openedStore } from '../support/opened-store.ts'
import { eventually } from '../sync/eventually.ts'
import type { Commands } from './commands.ts'

export interface Evidence {
  /** Address of the database. */
  readonly url: string
  /** A node that runs now. */
  readonly client: HttpClient
  readonly commands: Commands
}

/** Sends every command again, waits until timers and effects are done and the tables caught up, and then looks at everything. */
export async function expectNothingLostOrDoubled({ url, client, commands }: Evidence): Promise<void> {
  expect(await commands.sendAllAgain()).toEqual([])
  const database = new pg.Pool({ connectionString: url, max: 2 })
  const store = await openedStore({ url, node: 'prover', clock: systemClock, log: silentLogger, poolSize: 4 })
  try {
    await timersDone(database)
    await eventually(async () => {
      expect((await client.request('GET', '/v1/projections')).body).toMatchObject({ lag: 0, failures: 0 })
    })
    await expectEachKeyOnce(database, commands)
    await expectVersionsWithoutGaps(database)
    await expectEffectsOnce(database)
    await expectReplayLeadsThere(store, client)
    await expectTablesAsRebuilt(store)
  } finally {
    await Promise.all([store.close(), database.end()])
  }
}

/** What waits was due, or was taken by a node that died, more than half a minute ago: as long as an effect waits for its next try. */
export async function asIfHalfAMinutePassed(database: Pick<pg.ClientBase, 'query'>): Promise<void> {
  await database.query(
    `update timers set taken_until = null, due_at = due_at - case kind when 'effect' then interval '1 minute' else interval '0' end
     where taken_until is not null or (kind = 'effect' and due_at > now())`,
  )
}

async function timersDone(database: pg.Pool): Promise<void> {
  // A second between two looks, for what was just started.
  await vi.waitFor(
    async () => {
      const { rows } = await database.query('select actor_type, actor_id, name, due_at, attempts from timers')
      if (rows.length > 0) await asIfHalfAMinutePassed(database)
      expect(rows).toEqual([])
    },
    { timeout: 120_000, interval: 1_000 },
  )
}

/** A key that was acknowledged has one event, where it was acknowledged; one that was refused has none; and nobody else wrote. */
export async function expectEachKeyOnce(database: pg.Pool, { sent }: Commands): Promise<void> {
  const { rows } = await database.query<Record<'key' | 'actor' | 'place', string>>(
    `select command_id as key, actor_type || '/' || actor_id as actor, version || ' at ' || position as place from events
     where (command_id is null and type not in ('stream.viewers.updated', 'stream.stats.updated'))
       or command_id !~ '^(?:timer|effect|broadcast|journal|conflict|live|(?:user|stream)/\\d+):'`,
  )
  const found = rows.map(({ key, actor, place }) => `${key} ${actor} ${place}`)
  const told = sent.flatMap(({ key, outcome }) =>
    outcome.taken ? [`${key} ${outcome.actor} ${outcome.version} at ${outcome.position}`] : [],
  )
  // A key that was sent twice was told the same twice.
  expect(found.sort()).toEqual([...new Set(told)].sort())
}

export async function expectVersionsWithoutGaps(database: pg.Pool): Promise<void> {
  const { rows } = await database.query(
    `select actor_type, actor_id from events group by actor_type, actor_id
     having count(*) <> max(version) or count(distinct version) <> count(*) or min(version) <> 1`,
  )
  expect(rows).toEqual([])
}

/** Each time on air has its broadcast, its end and its usage once; each short session expired once. */
async function expectEffectsOnce(database: pg.Pool): Promise<void> {
  const counted = async (what: string, expected: string, found: string) => {
    const { rows } = await database.query(
      `with expected as (${expected}), found as (${found})
       select id, coalesce(e.n, 0)::int as expected, coalesce(f.n, 0)::int as found
       from (select actor_id as id, count(*) as n from expected group by 1) e
       full join (select id, count(*) as n from found group by 1) f using (id) where e.n is distinct from f.n`,
    )
    expect(rows, what).toEqual([])
  }
  const starts = "select actor_id from events where type = 'stream.started'"
  const stops = "select actor_id from events where type = 'stream.stopped'"
  const usage = (type: string) =>
    `select (data->>'streamId')::bigint as id from events where type = 'usage.recorded' and data->>'eventType' = '${type}'`
  const broadcasts = "select (data->>'streamId')::bigint as id, actor_id from events where type = 'broadcast.started'"
  await counted('a broadcast for each start', starts, broadcasts)
  await counted('usage of each start', starts, usage('stream_start'))
  await counted('usage of each stop', stops, usage('stream_end'))
  await counted(
    'an end of the broadcast for each stop',
    stops,
    `select b.id from (${broadcasts}) b join events e on e.type = 'broadcast.ended' and e.actor_id = b.actor_id`,
  )
  await counted(
    'the outcome of a start, where the stream is still on air',
    `${starts} and actor_id not in (${stops})`,
    `select actor_id as id from events where type = 'stream.broadcast.opened' and actor_id not in (${stops})`,
  )
  await counted(
    'an end of each session',
    "select actor_id from events where type = 'session.created'",
    "select actor_id as id from events where type in ('session.expired', 'session.revoked')",
  )
}

/** What the node shows of each actor is what folding its events from the beginning leads to. */
async function expectReplayLeadsThere(store: PgEventStore, client: HttpClient): Promise<void> {
  expect(await checkHistory({ store, entities: registry })).toMatchObject({ drift: [], wrongSnapshots: [] })
  const actors = new Set<string>()
  for (let after = 0; ; ) {
    const page = await store.readAll(after, 1_000)
    for (const { actorType, actorId } of page) actors.add(`${actorType}/${actorId}`)
    if (page.length === 0) break
    after = page.at(-1)?.position ?? after
  }
  expect(actors.size).toBeGreaterThan(0)
  const wrong = await Promise.all(
    [...actors].map(async address => {
      const shown = (await client.request('GET', `/v1/actors/${address}`)).body as Record<string, never>
      const told = canonicalJson({ version: shown.version, state: shown.state, context: shown.context } as never)
      const folded = await foldAll(store, address)
      return told === folded ? [] : [{ address, told, folded }]
    }),
  )
  expect(wrong.flat()).toEqual([])
}

async function foldAll(store: PgEventStore, address: string): Promise<string> {
  const { type, id } = parseActorRef(address)
  const entity = registry.find(candidate => candidate.type === type) as EntityDefinition
  const events = (await Array.fromAsync(store.readStream(actorRef(type, id)))).flat()
  const state = events.reduce((before, event) => fold(entity, before, event), initialState(entity))
  const { value, context } = state
  return canonicalJson({ version: events.length, state: formatStateValue(value), context: mask(context) })
}

export async function expectTablesAsRebuilt(store: PgEventStore): Promise<void> {
  const { tables, failures } = await rebuild({
    store,
    pool: store.pool,
    entities: registry,
    log: silentLogger,
    verifyOnly: true,
  })
  expect(failures).toBe(0)
  expect(tables.filter(({ missing, extra, different }) => missing + extra + different > 0)).toEqual([])
}
