/** Connections: none is lost to an error, and no secret leaves by one. */
import { inspect } from 'node:util'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPool, type Pool, query, withTransaction } from '../../src/eventstore/pool.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createRecordingLog } from '../support/recording-log.ts'

let database: TestDatabase
let administrator: pg.Client
let pool: Pool
const log = createRecordingLog()

beforeEach(async () => {
  database = await createTestDatabase({ empty: true })
  administrator = new pg.Client({ connectionString: database.url })
  await administrator.connect()
  // One connection: a leaked one would leave nothing for the next query.
  pool = createPool({ url: database.url, size: 1, log })
})
afterEach(async () => {
  if (!pool.ended) await pool.end()
  await administrator.end()
  await database.drop()
})

const one = () => query<{ one: number }>(pool, { text: 'select 1 as one' })
const cutOthers = () =>
  administrator.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  )

describe('after an error the connection is there for the next', () => {
  test('a statement that fails', async () => {
    for (let n = 0; n < 3; n++)
      await expect(query(pool, { text: 'select nothing_of_the_sort' })).rejects.toMatchObject({
        code: 'schema_mismatch',
      })
    expect(await one()).toEqual([{ one: 1 }])
  })

  test('a transaction whose work throws: it is rolled back', async () => {
    await query(pool, { text: 'create table things (n int)' })
    const bug = new Error('a bug')
    for (let n = 0; n < 3; n++)
      await expect(
        withTransaction(pool, async client => {
          await client.query('insert into things values (1)')
          throw bug
        }),
      ).rejects.toBe(bug)
    expect(await query(pool, { text: 'select n from things' })).toEqual([])
  })

  test('a connection that is cut inside a transaction, or between two statements of it', async () => {
    await expect(
      withTransaction(pool, async client => {
        await cutOthers()
        await client.query('select 1')
      }),
    ).rejects.toMatchObject({ code: 'log_unavailable' })
    await expect(
      withTransaction(pool, client => client.query('select pg_terminate_backend(pg_backend_pid())')),
    ).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(await one()).toEqual([{ one: 1 }])
  })

  test('one that is cut while nobody uses it', async () => {
    await one()
    await cutOthers()
    expect(await one()).toEqual([{ one: 1 }])
    await expect(withTransaction(pool, client => client.query('select 1'))).resolves.toBeDefined()
  })

  test('a number that is too large to be exact', async () => {
    await expect(query(pool, { text: 'select 9007199254740993::bigint as n' })).rejects.toMatchObject({
      code: 'corrupt_data',
    })
    expect(await query(pool, { text: 'select 9007199254740991::bigint as n' })).toEqual([
      { n: Number.MAX_SAFE_INTEGER },
    ])
  })
})

test('a pool that was closed says so', async () => {
  await pool.end()
  await expect(one()).rejects.toMatchObject({ code: 'shutting_down' })
  await expect(withTransaction(pool, async () => {})).rejects.toMatchObject({ code: 'shutting_down' })
})

describe('an address', () => {
  test('with the wrong password is refused by the server, and shows nothing of it', async () => {
    const secret = 'hunter2'
    const shown = (value: unknown) => inspect(value, { depth: 10, showHidden: true })
    const url = new URL(database.url)
    url.password = secret
    const wrong = createPool({ url: url.href, log })
    const error = await query(wrong, { text: 'select 1' }).catch(reason => reason)
    await wrong.end()
    expect(error).toMatchObject({ code: 'setup_failed' })
    expect(shown(error)).not.toContain(secret)
    expect(shown(log)).not.toContain(secret)
  })

  test('that asks for TLS of a server that has none is told so', async () => {
    const url = new URL(database.url)
    url.searchParams.set('sslmode', 'verify-full')
    const secure = createPool({ url: url.href, log })
    await expect(query(secure, { text: 'select 1' })).rejects.toMatchObject({
      code: 'setup_failed',
      message: expect.stringContaining('TLS'),
    })
    await secure.end()
  })
})
