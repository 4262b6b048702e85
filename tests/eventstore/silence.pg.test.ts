/** Postgres falls silent under an open log: what waits for it is given up, what comes then fails at once, and long work is let be. */
import pg from 'pg'
import { expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { createPgEventStore, type PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts'
import { eventually } from '../sync/eventually.ts'
import { append, appended, newEvent, readAllEvents } from './log-stage.ts'
import { cleanups, database } from './test-stores.ts'

const UNAVAILABLE = { code: 'log_unavailable', retryable: true }

/** @param readPatienceMs undefined as for a tool of the command line */
async function behindProxy(readPatienceMs?: number): Promise<{ store: PgEventStore; proxy: FaultProxy; url: string }> {
  const url = await database()
  const proxy = await openFaultProxy(url)
  cleanups.push(() => proxy.close())
  const store = await createPgEventStore({
    url: proxy.via(url),
    node: 'test',
    clock: systemClock,
    log: silentLogger,
    poolSize: 3,
    ...(readPatienceMs === undefined ? {} : { readPatienceMs }),
  })
  cleanups.push(() => {
    proxy.heal()
    return store.close()
  })
  return { store, proxy, url }
}

async function administrator(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  cleanups.push(() => client.end())
  return client
}

test('reads that wait are given up, those that follow are not even sent, and an answer ends it', async () => {
  const { store, proxy } = await behindProxy(800)
  const told: boolean[] = []
  const { silence } = store
  silence?.onSilent(() => told.push(silence.silent))
  await store.head()
  proxy.cut()
  // More than there are connections: what waits for one is given up as well.
  const reads = await Promise.allSettled(Array.from({ length: 8 }, () => store.head()))
  expect(reads).toEqual(reads.map(() => ({ status: 'rejected', reason: expect.objectContaining(UNAVAILABLE) })))
  expect(silence?.silent).toBe(true)
  expect(told).toEqual([true])
  const connections = proxy.connections
  let settled = 0
  const others = [
    store.nextId('user'),
    store.findCommand('c'),
    store.loadSnapshot({ type: 'user', id: 1 as never }),
    store.nextTimerAt(),
    store.acquireLease('l', 'h', 1_000),
    Array.fromAsync(store.readStream({ type: 'user', id: 1 as never })),
  ]
  for (const other of others)
    other.catch(() => {
      settled++
    })
  await Promise.allSettled(others)
  expect(settled).toBe(others.length)
  // A probe may come and go.
  expect(proxy.connections).toBeLessThanOrEqual(connections + 1)
  proxy.heal()
  await eventually(() => expect(silence?.silent).toBe(false))
  expect(await store.head()).toBe(0)
})

test('an append that was under way keeps its own patience, and is there once', async () => {
  const { store, proxy } = await behindProxy(800)
  await store.head()
  proxy.cut('toClient')
  const writing = store.append(append(1, 0, { events: [newEvent({ commandId: 'once' })] }))
  await eventually(() => expect(store.silence?.silent).toBe(true))
  proxy.heal()
  appended(await writing)
  expect((await readAllEvents(store)).map(({ commandId }) => commandId)).toEqual(['once'])
})

test('a question that is merely hard is no silence: it alone is given up, and others are answered', async () => {
  const { store, url } = await behindProxy(4_000)
  const admin = await administrator(url)
  await admin.query('begin')
  await admin.query('lock table actor_snapshots in access exclusive mode')
  await expect(store.loadSnapshot({ type: 'user', id: 1 as never })).rejects.toMatchObject(UNAVAILABLE)
  expect(store.silence?.silent).toBe(false)
  expect(await store.head()).toBe(0)
  await admin.query('rollback')
  await expect(store.loadSnapshot({ type: 'user', id: 1 as never })).resolves.toBeUndefined()
})

test('work that takes long has the time it needs, as have all questions of a tool', async () => {
  const { store } = await behindProxy(200)
  const tool = await behindProxy()
  const admin = await administrator(tool.url)
  await admin.query('begin')
  await admin.query('lock table events in access exclusive mode')
  const head = tool.store.head()
  await expect(store.pool.query('select pg_sleep(1)')).resolves.toBeDefined()
  await admin.query('rollback')
  expect(await head).toBe(0)
  expect(tool.store.silence).toBeUndefined()
})

test('a server that refuses is not waited for', async () => {
  const { store, proxy } = await behindProxy(60_000)
  await proxy.close()
  await expect(store.head()).rejects.toBeInstanceOf(AppError)
  expect(store.silence?.silent).toBe(false)
})
