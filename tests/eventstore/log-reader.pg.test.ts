/** Logs that are another's: read, never written, refused where they are none. */
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkHistory } from '../../src/actors/replay.ts'
import { createNode } from '../../src/app.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { createLogReader } from '../../src/eventstore/log-reader.ts'
import { createPool } from '../../src/eventstore/pool.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { unopened } from '../../src/privacy/unopened.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let client: pg.Client
beforeEach(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await database.drop()
})

const open = () => createLogReader({ url: database.url, log: silentLogger })

async function writeHistory(): Promise<void> {
  const node = await createNode({ database: database.url, name: 'old', log: silentLogger })
  for (const username of ['ada', 'bob'])
    await node.create('user', {
      type: 'user.registered',
      username,
      email: `${username}@example.org`,
      passwordHash: 'x',
    })
  await node.actor('user', 1).send({ type: 'user.verified' }, { userId: 2 })
  await node.close()
}

test('reads a log without leaving a trace in it', async () => {
  await writeHistory()
  const traces = 'select (select count(*) from incarnations) as starts, (select count(*) from events) as events'
  const before = (await client.query(traces)).rows
  const reader = await open()
  try {
    expect(await reader.actorTypes()).toEqual(['user'])
    expect(await reader.head()).toBe(3)
    expect(reader.migration).toBeGreaterThan(0)
    const events = (await Array.fromAsync(reader.readStream({ type: 'user', id: 1 as ActorId }))).flat()
    expect(events).toMatchObject([
      { version: 1, type: 'user.registered', node: 'old', userId: null },
      { version: 2, type: 'user.verified', state: 'active', userId: 2 },
    ])
    expect(await checkHistory({ store: unopened(reader, entities), entities })).toMatchObject({
      actors: 2,
      events: 3,
      drifted: 0,
    })
  } finally {
    await reader.close()
  }
  expect((await client.query(traces)).rows).toEqual(before)
})

test('the server refuses writes of such a session, whatever the address asks for', async () => {
  const url = new URL(database.url)
  url.searchParams.set('options', '-c default_transaction_read_only=off')
  const pool = createPool({ url: url.href, log: silentLogger, readOnly: true, size: 1 })
  try {
    await expect(pool.query('delete from events')).rejects.toMatchObject({ code: '25006' })
  } finally {
    await pool.end()
  }
})

test('an older log is replayed as far as its columns go', async () => {
  await writeHistory()
  await client.query(`
    delete from schema_migrations where version > 1;
    alter table events drop column correlation, drop column token, drop column incarnation;
    drop table actor_snapshots`)
  const reader = await open()
  try {
    expect(reader.migration).toBe(1)
    const [first] = (await Array.fromAsync(reader.readStream({ type: 'user', id: 1 as ActorId }))).flat()
    expect(first).toMatchObject({ type: 'user.registered', node: 'old', n: expect.any(Number), correlation: null })
    expect(await checkHistory({ store: unopened(reader, entities), entities })).toMatchObject({
      actors: 2,
      events: 3,
      drifted: 0,
    })
  } finally {
    await reader.close()
  }
  await client.query('alter table events drop column state')
  await expect(open()).rejects.toMatchObject({ code: 'schema_mismatch', message: expect.stringContaining('no state') })
})

test.each([
  ['an empty database', 'drop schema public cascade; create schema public', /not a RootStream log/],
  [
    'tables of the same names made by others',
    'alter table schema_migrations drop column checksum',
    /not a RootStream log/,
  ],
  ['a log without events', 'drop table events', /not a RootStream log/],
  ['a newer log', "insert into schema_migrations values (999, 'later', 'x')", /at migration 999, this code knows/],
  [
    'a log made by other files',
    "update schema_migrations set checksum = 'x' where version = 1",
    /001_event_log.sql was changed/,
  ],
])('refuses %s', async (_, sql, message) => {
  await client.query(sql)
  await expect(open()).rejects.toMatchObject({ code: 'schema_mismatch', message: expect.stringMatching(message) })
})
