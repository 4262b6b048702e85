/** The global order under many writers, and what a node hears that sends again. */
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { AppendOutcome, EventStore } from '../../src/core/ports.ts'
import { append, appended, newEvent, readAllEvents } from './log-stage.ts'
import { openLossyLink } from './lossy-link.ts'
import { cleanups, database, open } from './test-stores.ts'

/** Reads new pages until `done` and one more look find nothing new; answers positions in the order in which they were seen. */
async function tail(store: EventStore, done: () => boolean): Promise<number[]> {
  const seen: number[] = []
  for (;;) {
    const finished = done()
    const page = await store.readAll(seen.at(-1) ?? 0, 50)
    seen.push(...page.map(event => event.position))
    if (finished && page.length === 0) return seen
  }
}

describe('global order', () => {
  test('twenty writers and a reader that remembers one position: nothing is skipped, nothing doubled', async () => {
    const url = await database()
    const writers = await Promise.all(Array.from({ length: 20 }, () => open(url)))
    let writing = true
    const reading = tail(await open(url), () => !writing)
    await Promise.all(
      writers.map(async (writer, w) => {
        for (let version = 0; version < 50; version++) appended(await writer.append(append(w + 1, version)))
      }),
    )
    writing = false
    const seen = await reading
    const all = (await readAllEvents(writers[0] as EventStore)).map(event => event.position)
    expect(all).toHaveLength(1_000)
    expect(seen).toEqual(all)
  })

  test('an open transaction of somebody else stalls neither writers nor readers', async () => {
    const url = await database()
    const foreign = new pg.Client({ connectionString: url })
    await foreign.connect()
    cleanups.push(() => foreign.end())
    await foreign.query('create table elsewhere (n int)')
    await foreign.query('begin isolation level repeatable read')
    await foreign.query('insert into elsewhere select pg_current_xact_id()::text::bigint::int')
    const store = await open(url)
    appended(await store.append(append(1, 0)))
    expect(await store.readAll(0, 10)).toHaveLength(1)
    await foreign.query('rollback')
  })
})

describe('several nodes', () => {
  test('that write to one actor: each version is one node’s, the other loads again', async () => {
    const url = await database()
    const nodes = await Promise.all([open(url), open(url)])
    const conflicts = await Promise.all(
      nodes.map(async node => {
        let written = 0
        let lost = 0
        for (let version = 0; written < 50; ) {
          const { outcome } = await node.append(append(1, version))
          if (outcome === 'appended') written++
          else lost++
          version = (await node.listActors('thing', 0, 1))[0]?.version ?? 0
        }
        return lost
      }),
    )
    const events = await readAllEvents(nodes[0] as EventStore)
    expect(events.map(event => event.version)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1))
    expect(Map.groupBy(events, event => event.incarnation).size).toBe(2)
    expect(conflicts.reduce((sum, lost) => sum + lost, 0)).toBeGreaterThan(0)
  })

  test('readers that hold every connection do not keep a command waiting', async () => {
    const store = await open(await database())
    const held = await Promise.all([1, 2, 3].map(() => store.pool.connect()))
    appended(await store.append(append(1, 0)))
    for (const client of held) client.release()
  })
})

describe('an append reads what it is about and no more, also on a connection that first wrote to an empty log:', () => {
  /** How many rows of events were written and read by connections that have ended since. */
  async function counts(url: string) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    cleanups.push(() => client.end())
    return async () =>
      (
        await client.query(`select n_tup_ins::int as written, (coalesce(seq_tup_read, 0) + idx_tup_fetch)::int as read
          from pg_stat_user_tables where relname = 'events'`)
      ).rows[0]
  }

  test('the version before it', async () => {
    const url = await database()
    const store = await open(url)
    for (let version = 0; version < 40; version++)
      await Promise.all(Array.from({ length: 50 }, (_, n) => store.append(append(n + 1, version))))
    // The counts of a connection are added up when it ends.
    await store.close()
    const count = await counts(url)
    await expect.poll(async () => (await count()).written).toBe(2_000)
    // One row for each: the version before it. Hashing the log for each batch would read 39,000.
    expect((await count()).read).toBeLessThan(4_000)
  })

  test('the newest event of what it refers to', async () => {
    const url = await database()
    const store = await open(url)
    const references = [{ ...actorRef('thing', 1), goneIn: ['off'] }]
    appended(await store.append(append(1, 0)))
    for (let round = 1; round <= 40; round++) {
      await Promise.all(Array.from({ length: 25 }, (_, n) => store.append(append(round * 100 + n, 0, { references }))))
      appended(
        await store.append(append(1, 1 + (round - 1) * 25, { events: Array.from({ length: 25 }, () => newEvent()) })),
      )
    }
    await store.close()
    const count = await counts(url)
    await expect.poll(async () => (await count()).written).toBe(2_001)
    // Reading all there is of the actor each time would come to 500,000.
    expect((await count()).read).toBeLessThan(4_000)
  })
})

describe('resends', () => {
  /** What a node sends again when the answer was lost. */
  async function lostNode(url: string) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    cleanups.push(() => client.end())
    const event = { type: 'thing.happened', schema_version: 1, data: {}, state: 'on', at: '2026-01-01T00:00:00Z' }
    return async (version: number, n: number, extras: readonly object[] = []) => {
      const of = { a: 0, actor_type: 'thing', actor_id: 1 }
      const row = { ...of, ...event, expected: version - 1, version, n }
      const { rows } = await client.query('select outcome, event_position from append_batch($1, $2, $3, $4, $5)', [
        'lost',
        999,
        1,
        JSON.stringify([row]),
        extras.length === 0 ? null : JSON.stringify(extras.map(extra => ({ ...of, ...extra }))),
      ])
      return rows
    }
  }

  test('a batch whose answer was lost is recognised by its dots, though others wrote since', async () => {
    const url = await database()
    const store = await open(url)
    const send = await lostNode(url)
    const first = await send(1, 1)
    appended(await store.append(append(1, 1)))
    expect(first).toMatchObject([{ outcome: 'appended' }])
    expect(await send(1, 1)).toEqual([{ ...first[0], outcome: 'repeated' }])
    expect(await send(1, 2)).toMatchObject([{ outcome: 'conflict' }])
    expect(await readAllEvents(store)).toHaveLength(2)
  })

  test('it is recognised though its lease and its claim have passed to others since', async () => {
    const url = await database()
    const store = await open(url)
    const send = await lostNode(url)
    const lease = await store.acquireLease('job', 'lost', 60_000)
    const name = { kind: 'name', key: 'ada' }
    const extras = [
      { op: 'lease', name: 'job', token: lease?.token },
      { op: 'claim', ...name },
      { op: 'timer', name: 'a', kind: 'event', due_at: '2026-01-01T00:00:00Z', payload: {} },
    ]
    const first = await send(1, 1, extras)
    await store.releaseLease('job', 'lost')
    await store.acquireLease('job', 'next', 60_000)
    appended(await store.append(append(1, 1, { releases: [name], cancels: ['a'] })))
    appended(await store.append(append(2, 0, { claims: [name] })))
    expect(await send(1, 1, extras)).toEqual([{ ...first[0], outcome: 'repeated' }])
    expect(await store.nextTimerAt()).toBeUndefined()
    expect((await store.append(append(3, 0, { claims: [name] }))).outcome).toBe('claimed')
  })

  test('it is recognised though what it refers to has gone since', async () => {
    const url = await database()
    const store = await open(url)
    const send = await lostNode(url)
    appended(await store.append(append(2, 0)))
    const extras = [{ op: 'reference', actor_type: 'thing', actor_id: 2, gone_in: ['off'] }]
    const first = await send(1, 1, extras)
    appended(await store.append(append(2, 1, { events: [newEvent({ state: 'off' })] })))
    expect(await send(1, 1, extras)).toEqual([{ ...first[0], outcome: 'repeated' }])
    expect(await send(2, 2, extras)).toMatchObject([{ outcome: 'missing' }])
    expect(await readAllEvents(store)).toHaveLength(3)
  })

  test('a node that never heard the answer hears the right one, though another node wrote to the actor meanwhile', async () => {
    const url = await database()
    const link = await openLossyLink(url)
    cleanups.push(() => link.close())
    const other = await open(url)
    const store = await open(link.url)
    appended(await store.append(append(1, 0)))
    link.loseAnswerTo('append_batch', async () => {
      appended(await other.append(append(1, 2, { events: [newEvent({ type: 'thing.followed' })] })))
    })
    const [conflicting, lost, beside] = await Promise.all([
      store.append(append(3, 1)),
      store.append(append(1, 1, { events: [newEvent({ commandId: 'c', type: 'thing.lost' })] })),
      store.append(append(2, 0)),
    ])
    expect(conflicting?.outcome).toBe('conflict')
    const events = await readAllEvents(other)
    expect(events.map(event => `${event.actorId}:${event.version} ${event.type}`)).toEqual([
      '1:1 thing.happened',
      '1:2 thing.lost',
      '2:1 thing.happened',
      '1:3 thing.followed',
    ])
    expect([...appended(lost as AppendOutcome), ...appended(beside as AppendOutcome)]).toEqual(events.slice(1, 3))
    // What the actor decides next has a dot of its own: it is not taken for the one that was sent twice.
    expect(await store.append(append(1, 1))).toEqual({ outcome: 'conflict' })
  })

  test('a lease does not change hands while an append is being written under it', async () => {
    const url = await database()
    const store = await open(url)
    const lease = await store.acquireLease('job', 'old', 60_000)
    const writer = new pg.Client({ connectionString: url })
    await writer.connect()
    cleanups.push(() => writer.end())
    await writer.query('begin')
    await writer.query('select append_batch($1, $2, $3, $4, $5)', [
      'old',
      1,
      0,
      '[]',
      JSON.stringify([{ a: 0, op: 'lease', name: 'job', token: lease?.token }]),
    ])
    let handed = false
    const handing = store.releaseLease('job', 'old').then(() => {
      handed = true
    })
    await expect
      .poll(async () => {
        const { rows } = await writer.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        return rows.length
      })
      .toBe(1)
    expect(handed).toBe(false)
    await writer.query('commit')
    await handing
  })
})
