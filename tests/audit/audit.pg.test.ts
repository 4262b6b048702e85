/** Tampering by someone who may do anything in the database: each kind is found, named and placed. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { summary } from '../../src/audit/digest.ts'
import { sealLog } from '../../src/audit/seal-log.ts'
import { verifyLog } from '../../src/audit/verify.ts'
import type { SealedLog } from '../../src/core/ports.ts'
import type { SealSummary } from '../../src/core/seal.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { createPgSealedLog } from '../../src/eventstore/sealed-log.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { appendNotes } from '../support/events.ts'

let database: TestDatabase
let client: pg.Client
let store: PgEventStore
let log: SealedLog
beforeEach(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  store = await createPgEventStore({ url: database.url, node: 'test', clock: systemClock, log: silentLogger })
  log = createPgSealedLog(store.pool)
})
afterEach(async () => {
  await store.close()
  await client.end()
  await database.drop()
})

const seal = () => sealLog({ log, clock: systemClock })

/** Positions 1–10, 11–16 and 18–21, 22–31 under three seals, 32 and 33 under none. */
async function threeSeals(): Promise<void> {
  await appendNotes(store, 10)
  await seal()
  await appendNotes(store, 6)
  await client.query("select nextval(pg_get_serial_sequence('events', 'position'))")
  await appendNotes(store, 4)
  await seal()
  await appendNotes(store, 10)
  await seal()
  await appendNotes(store, 2)
}

/** As a superuser whom no trigger stops. */
async function tamper(...statements: readonly string[]): Promise<void> {
  await client.query('set session_replication_role = replica')
  for (const sql of statements) expect((await client.query(sql)).rowCount).not.toBe(0)
  await client.query('set session_replication_role = origin')
}

async function exportSeals(): Promise<ReadonlyMap<number, SealSummary>> {
  return new Map((await log.seals(0, 1_000)).map(stored => [stored.number, summary(stored)]))
}

const copyOfEvent = (position: number, to: number) => `
  insert into events overriding system value
  select ${to}, actor_type, actor_id, version + 1, type, schema_version, data, state, at, node, incarnation, n, user_id,
    command_id, causation, correlation, token
  from events where position = ${position}`

test('an intact log verifies, and says how much is not sealed', async () => {
  await threeSeals()
  expect(await verifyLog({ log, exported: await exportSeals() })).toEqual({
    ok: true,
    seals: 3,
    exported: 3,
    events: 30,
    sealed: 31,
    unsealed: 2,
    findings: [],
  })
})

describe('a changed log', () => {
  test('in any column of an event', async () => {
    await threeSeals()
    await client.query('create temporary table original as select * from events where position = 14')
    for (const change of [
      "data = jsonb_set(data, '{n}', '999')",
      // By less than a double holds.
      "data = jsonb_set(data, '{n}', '3.00000000000000000001')",
      "actor_type = 'other'",
      'actor_id = 9007199254740993',
      'version = 5',
      "type = 'note.lost'",
      'schema_version = 2',
      "state = 'lost'",
      "at = at + interval '1 microsecond'",
      "at = 'infinity'",
      "node = 'other'",
      'incarnation = 77',
      'n = n + 100',
      'user_id = null',
      "command_id = 'c'",
      'causation = 1',
      'correlation = null',
      'token = 1',
    ]) {
      await tamper(`update events set ${change} where position = 14`)
      const { ok, findings } = await verifyLog({ log })
      expect([change, ok]).toEqual([change, false])
      expect(findings).toMatchObject([
        { kind: 'event_changed', seal: 2, first: 11, last: 21, position: 14, changed: 1, removed: 0, inserted: 0 },
      ])
      await tamper(
        'delete from events where position = 14',
        `insert into events overriding system value table original`,
      )
      expect([change, (await verifyLog({ log })).ok]).toEqual([change, true])
    }
  })

  test('the data of two events exchanged', async () => {
    await threeSeals()
    await tamper(
      'update events e set data = o.data from events o where (e.position, o.position) in ((12, 20), (20, 12))',
    )
    expect((await verifyLog({ log })).findings).toMatchObject([
      { kind: 'event_changed', seal: 2, position: 12, changed: 2 },
    ])
  })

  test.each([
    ['from the middle', 5, 1],
    ['at the edge of a range', 22, 3],
    ['at the sealed end', 31, 3],
  ])('an event removed %s', async (_where, position, number) => {
    await threeSeals()
    await tamper(`delete from events where position = ${position}`)
    expect((await verifyLog({ log })).findings).toMatchObject([
      { kind: 'event_removed', seal: number, position, removed: 1, changed: 0 },
    ])
  })

  test('the whole end of the log removed, unsealed events too', async () => {
    await threeSeals()
    await tamper('delete from events where position >= 20')
    expect((await verifyLog({ log })).findings).toMatchObject([
      { kind: 'event_removed', seal: 2, position: 20, removed: 2 },
      { kind: 'event_removed', seal: 3, position: 22, removed: 10 },
    ])
    await expect(seal()).rejects.toMatchObject({ code: 'audit_broken' })
  })

  test('an empty table under seals', async () => {
    await threeSeals()
    await client.query("set rootstream.rewrite_history = 'on'; truncate events")
    expect((await verifyLog({ log })).findings.map(({ kind, seal: number }) => [kind, number])).toEqual([
      ['event_removed', 1],
      ['event_removed', 2],
      ['event_removed', 3],
    ])
  })

  test.each([
    ['into a gap', 17, 2],
    ['before the beginning', -9_000_000_000, 1],
  ])('an event inserted %s', async (_where, position, number) => {
    await threeSeals()
    await tamper(copyOfEvent(14, position))
    expect((await verifyLog({ log })).findings).toMatchObject([
      { kind: 'event_inserted', seal: number, position, inserted: 1, changed: 0 },
    ])
  })

  test('several ranges: the first is named first', async () => {
    await threeSeals()
    await tamper(
      "update events set state = 'x' where position = 30",
      'delete from events where position = 3',
      "update events set state = 'x' where position = 7",
    )
    expect((await verifyLog({ log })).findings).toMatchObject([
      { kind: 'event_removed', seal: 1, position: 3, removed: 1, changed: 1 },
      { kind: 'event_changed', seal: 3, position: 30 },
    ])
  })
})

describe('changed seals', () => {
  test('in any column', async () => {
    await threeSeals()
    const exported = await exportSeals()
    await client.query('create temporary table original as select * from audit_seals where number = 2')
    for (const change of [
      'first_position = first_position - 1',
      'last_position = last_position + 1',
      'events = events + 1',
      'events_hash = hash',
      'marks = set_byte(marks, 5, (get_byte(marks, 5) + 1) % 256)',
      'previous_hash = hash',
      "sealed_at = sealed_at - interval '1 day'",
      'hash = events_hash',
    ]) {
      await tamper(`update audit_seals set ${change} where number = 2`)
      expect([change, (await verifyLog({ log })).findings]).toMatchObject([change, [{ kind: 'seal_altered', seal: 2 }]])
      expect((await verifyLog({ log, exported })).findings).toMatchObject([
        { kind: 'seal_altered', seal: 2, exported: true },
      ])
      await tamper('delete from audit_seals where number = 2', 'insert into audit_seals table original')
    }
    expect((await verifyLog({ log, exported })).ok).toBe(true)
  })

  test('a seal removed', async () => {
    await threeSeals()
    const exported = await exportSeals()
    await tamper('delete from audit_seals where number = 2')
    expect((await verifyLog({ log })).findings).toMatchObject([{ kind: 'seal_missing', seal: 2, first: 11, last: 21 }])
    expect((await verifyLog({ log, exported })).findings).toMatchObject([
      { kind: 'seal_missing', seal: 2, first: 11, last: 21, exported: true },
    ])
  })

  test('a seal made anew over a changed event breaks the chain after it', async () => {
    await threeSeals()
    await tamper("update events set state = 'x' where position = 14")
    const later = await resealFrom(2, 3)
    expect((await verifyLog({ log })).findings).toMatchObject([{ kind: 'chain_broken', seal: 3 }])
    expect(later).toBe(1)
  })

  /** Makes seals anew, as someone with this program would, and puts back those after `to`. */
  async function resealFrom(from: number, to: number): Promise<number> {
    await tamper(
      `create temporary table kept as select * from audit_seals where number >= ${to}`,
      `create temporary table hidden as select * from events where position > (select last_position from audit_seals where number = ${to - 1})`,
      'delete from events using hidden where events.position = hidden.position',
      `delete from audit_seals where number >= ${from}`,
    )
    await seal()
    await tamper(
      'insert into events overriding system value select * from hidden',
      'insert into audit_seals select * from kept',
    )
    return (await client.query('select from kept')).rowCount ?? 0
  }
})

describe('log and seals rewritten together', () => {
  test('the end removed and the rest sealed anew: only the exported seals tell', async () => {
    await threeSeals()
    const exported = await exportSeals()
    await tamper('delete from audit_seals where number = 3', 'delete from events where position > 25')
    await seal()
    expect((await verifyLog({ log })).ok).toBe(true)
    const [found] = (await verifyLog({ log, exported })).findings
    expect(found).toMatchObject({ kind: 'log_shorter', seal: 3, first: 22, last: 31, exported: true })
    expect(found?.message).toContain('position 25')
  })

  test('an event changed and everything sealed anew: the exported seal names the range', async () => {
    await threeSeals()
    const exported = await exportSeals()
    await tamper("update events set state = 'x' where position = 14", 'delete from audit_seals')
    await seal()
    await appendNotes(store, 20)
    await seal()
    expect((await verifyLog({ log })).ok).toBe(true)
    const report = await verifyLog({ log, exported })
    expect(report.findings).toMatchObject([
      { kind: 'seal_altered', seal: 1, exported: true },
      { kind: 'event_changed', seal: 2, first: 11, last: 21, exported: true },
      { kind: 'seal_missing', seal: 3, exported: true },
    ])
  })
})
