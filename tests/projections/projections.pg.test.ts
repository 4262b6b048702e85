/** The read tables of all entities against the log: equal after every kind of history. */
import fc from 'fast-check'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import { actorId, actorRef } from '../../src/core/ids.ts'
import type { PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import type { Projections } from '../../src/projections/projections.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { createTablesStage } from './tables-stage.ts'

const stage = createTablesStage()
const { create, differences, rows, send, startProjections, stream, user } = stage
let client: pg.Client
let store: PgEventStore
let actors: ActorSystem
let projections: Projections
beforeEach(async () => {
  ;({ client, store, actors, projections } = await stage.open())
})
afterEach(() => stage.close())

describe('projecting', () => {
  test('a life of a user, a stream and its broadcast shows in the tables of 24.2', async () => {
    const ada = await user('Ada')
    const live = await stream(ada, 'k1')
    await send('stream', live, { type: 'stream.started', bitrateKbps: 6000 })
    for (let viewer = 0; viewer < 3; viewer++) await send('stream', live, { type: 'viewer.joined' })
    await send('stream', live, { type: 'viewer.left' })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select username, is_active from users')).toEqual([{ username: 'Ada', is_active: true }])
    expect(await rows('select is_live, viewer_count, bitrate_kbps from streams')).toEqual([
      { is_live: true, viewer_count: 2, bitrate_kbps: 6000 },
    ])
    await send('stream', live, { type: 'stream.stopped', bytesSent: 123 })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select is_live, viewer_count, ended_at is not null as ended from streams')).toEqual([
      { is_live: false, viewer_count: 0, ended: true },
    ])
    expect(
      await rows(
        'select stream_id, total_viewers, peak_viewers, total_bytes_sent::int, session_end > session_start as over from stream_sessions',
      ),
    ).toEqual([{ stream_id: live, total_viewers: 3, peak_viewers: 3, total_bytes_sent: 123, over: true }])
    expect(await rows('select event_type from usage_logs order by event_type')).toEqual([
      { event_type: 'stream_end' },
      { event_type: 'stream_start' },
    ])
    expect(await differences()).toEqual([])
  })

  test('a deleted user takes sessions, streams and billing along', async () => {
    const ada = await user('Ada')
    const own = await stream(ada, 'k1')
    await create('session', { type: 'session.created', userId: ada, tokenHash: 't', expiresAt: '2099-01-01T00:00:00Z' })
    await create('billing', { type: 'billing.opened', userId: ada })
    await send('user', ada, { type: 'user.deleted' })
    await actors.effectsIdle()
    await projections.caughtUp()
    expect(await rows('select id from users')).toEqual([])
    expect(await rows('select id from streams')).toEqual([])
    expect(await rows('select id from billing_accounts')).toEqual([])
    expect(await rows('select is_active from sessions')).toEqual([{ is_active: false }])
    expect((await actors.actor(actorRef('stream', own)).state()).state).toBe('deleted')
    expect(await differences()).toEqual([])
  })

  test('a name that passes from one actor to another within a page is no violation', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await projections.stop()
    await send('user', ada, { type: 'user.updated', username: 'Carol' })
    await send('user', bob, { type: 'user.updated', username: 'Ada' })
    await send('user', ada, { type: 'user.updated', displayName: 'C' })
    projections = await startProjections()
    await projections.caughtUp()
    expect(await rows('select username from users order by id')).toEqual([{ username: 'Carol' }, { username: 'Ada' }])
    expect(await projections.failures()).toEqual([])
  })

  test('two runners share the work, and what one missed the other has done', async () => {
    const second = await startProjections()
    const ids = await Promise.all(Array.from({ length: 30 }, (_, n) => user(`user${n}`)))
    await Promise.all([projections.caughtUp(), second.caughtUp()])
    expect(await rows('select id from users')).toHaveLength(ids.length)
    expect(await differences()).toEqual([])
  })

  test('connections that are cut cost nothing but time', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => user(`u${round}-${n}`)))
      await client.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      projections.wake()
    }
    await projections.caughtUp()
    expect(await rows('select count(*)::int as n from users')).toEqual([{ n: 100 }])
    expect(await projections.failures()).toEqual([])
    expect(await differences()).toEqual([])
  })

  test('finds ids by a column of a view, and by nothing else', async () => {
    const ada = await user('Ada')
    const own = await stream(ada, 'k1')
    await projections.caughtUp()
    expect(await projections.find('streams', 'user_id', ada)).toEqual([own])
    await expect(projections.find('streams', 'user_id; drop table users', ada)).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await expect(projections.find('pg_authid', 'rolname', 'x')).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('poison', () => {
  /** An event that no version of the code would take, as a bug of another release might have written it. */
  async function writePoison(id: number, version: number, type = 'user.unheard'): Promise<void> {
    const event = {
      type,
      schemaVersion: 1,
      data: {},
      state: 'active',
      at: new Date().toISOString(),
      userId: null,
      commandId: null,
      causation: null,
      correlation: null,
    }
    await store.append({ actor: { type: 'user', id: actorId(id) }, expectedVersion: version, events: [event] })
  }

  test('parks its actor; the others go on, and a retry after the cure brings it back', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await writePoison(ada, 1)
    await send('user', bob, { type: 'user.updated', displayName: 'Bobby' })
    await projections.caughtUp()
    expect(await rows('select display_name from users order by id')).toEqual([
      { display_name: null },
      { display_name: 'Bobby' },
    ])
    const [parked] = await projections.failures()
    expect(parked).toMatchObject({ actorType: 'user', actorId: ada })
    expect(parked?.error).toContain('user.unheard')
    expect((await projections.status()).failures).toBe(1)
    expect(await projections.retry(actorRef('user', ada))).toBe(false)
    // The cure of a release would be code; here the event is made into one the code knows.
    await client.query(
      "set rootstream.rewrite_history = 'on'; update events set type = 'user.verified' where type = 'user.unheard'",
    )
    expect(await projections.retry(actorRef('user', ada))).toBe(true)
    expect(await rows(`select is_verified from users where id = ${ada}`)).toEqual([{ is_verified: true }])
    expect(await projections.failures()).toEqual([])
  })

  test('a row that the table refuses parks its actor alone', async () => {
    const [ada, bob] = [await user('Ada'), await user('Bob')]
    await projections.caughtUp()
    await projections.stop()
    await client.query("alter table users add constraint no_zoe check (username <> 'Zoe')")
    await send('user', ada, { type: 'user.updated', username: 'Zoe' })
    await send('user', bob, { type: 'user.updated', username: 'Yan' })
    projections = await startProjections()
    await projections.caughtUp()
    expect((await projections.failures()).map(failure => failure.actorId)).toEqual([ada])
    expect(await rows(`select username from users where id = ${bob}`)).toEqual([{ username: 'Yan' }])
    await client.query('alter table users drop constraint no_zoe')
    await rebuild({ store, pool: store.pool, entities, log: silentLogger })
    expect(await rows('select username from users order by id')).toEqual([{ username: 'Zoe' }, { username: 'Yan' }])
    expect(await projections.failures()).toEqual([])
  })
})

test('after any commands the tables are what a rebuild gives', async () => {
  const ids = [await user('p1'), await user('p2'), await user('p3')]
  const streams = [await stream(ids[0] ?? 0, 's1'), await stream(ids[1] ?? 0, 's2')]
  const userEvent = fc.constantFrom(
    { type: 'user.updated', displayName: 'x' },
    { type: 'user.verified' },
    { type: 'user.deactivated' },
    { type: 'user.reactivated' },
    { type: 'user.login.recorded' },
  )
  const streamEvent = fc.constantFrom(
    { type: 'stream.started', fps: 60 },
    { type: 'stream.stopped' },
    { type: 'viewer.joined' },
    { type: 'viewer.left' },
    { type: 'stream.viewers.updated', viewers: 9 },
    { type: 'stream.renamed', name: 'y' },
  )
  const command = fc.oneof(
    fc.record({ type: fc.constant('user'), id: fc.constantFrom(...ids), event: userEvent }),
    fc.record({ type: fc.constant('stream'), id: fc.constantFrom(...streams), event: streamEvent }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 30 }), async commands => {
      await Promise.all(commands.map(({ type, id, event }) => actors.actor(actorRef(type, id)).send(event)))
      await actors.effectsIdle()
      await projections.caughtUp()
      expect(await differences()).toEqual([])
    }),
    { numRuns: 15 },
  )
}, 120_000)
