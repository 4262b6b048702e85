/** Appends while connections and the server break. */
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { Clock, EventStore } from '../../src/core/ports.ts'
import { migrate } from '../../src/eventstore/migrate.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { ownPostgres } from '../support/database.ts'
import { append, appended, newEvent, readAllEvents } from './log-stage.ts'
import { cleanups, database, open } from './test-stores.ts'

describe('faults', () => {
  /** Writes until told to stop; answers what was acknowledged, by command id. */
  function keepWriting(store: EventStore, writers: number) {
    let going = true
    const acknowledged = new Map<string, { actorId: number; version: number; position: number }>()
    const failures: string[] = []
    const write = async (writer: number) => {
      let version = 0
      for (let n = 0; going; n++) {
        const commandId = `${writer}-${n}`
        const outcome = await store
          .append(append(writer, version, { events: [newEvent({ commandId })] }))
          .catch(error => error.code as string)
        if (typeof outcome === 'string') {
          failures.push(outcome)
          version = (await currentVersion(store, writer)) ?? version
          continue
        }
        const [event] = appended(outcome)
        if (event !== undefined) acknowledged.set(commandId, event)
        version++
      }
    }
    const done = Promise.all(Array.from({ length: writers }, (_, n) => write(n + 1)))
    return {
      acknowledged,
      failures,
      stop: async () => {
        going = false
        await done
      },
    }
  }

  async function currentVersion(store: EventStore, id: number): Promise<number | undefined> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const events = await Array.fromAsync(store.readStream(append(id, 0).actor)).catch(() => undefined)
      if (events !== undefined) return events.flat().at(-1)?.version ?? 0
    }
    return undefined
  }

  async function proveExactlyOnce(
    store: EventStore,
    acknowledged: ReadonlyMap<string, { position: number; version: number }>,
  ) {
    const events = await readAllEvents(store)
    const byCommand = Map.groupBy(events, event => event.commandId)
    const wrong = [...acknowledged].filter(
      ([id, { position }]) => byCommand.get(id)?.length !== 1 || byCommand.get(id)?.[0]?.position !== position,
    )
    expect(wrong).toEqual([])
    for (const stream of Map.groupBy(events, event => event.actorId).values())
      expect(stream.map(event => event.version)).toEqual(stream.map((_, n) => n + 1))
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise(resolve => setImmediate(resolve))
  }

  test('connections that are cut in the middle of batches: every append settles, every event is there once', async () => {
    const url = await database()
    const store = await open(url)
    const killer = new pg.Client({ connectionString: url })
    await killer.connect()
    cleanups.push(() => killer.end())
    const writing = keepWriting(store, 8)
    for (let cut = 1; cut <= 10; cut++) {
      await until(() => writing.acknowledged.size > cut * 40)
      await killer.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
    }
    await until(() => writing.acknowledged.size > 500)
    await writing.stop()
    expect(writing.failures).toEqual([])
    await proveExactlyOnce(store, writing.acknowledged)
  })

  test('the server is killed under load and starts again: nothing acknowledged is lost or doubled', async () => {
    const server = await ownPostgres()
    cleanups.push(() => server.remove())
    await migrate({ url: server.url })
    const store = await open(server.url, 60_000)
    const writing = keepWriting(store, 8)
    for (let round = 1; round <= 2; round++) {
      await until(() => writing.acknowledged.size > round * 100)
      await server.kill9()
      await server.restart()
    }
    await until(() => writing.acknowledged.size > 400)
    await writing.stop()
    await proveExactlyOnce(store, writing.acknowledged)
  }, 120_000)

  test('a value that only Postgres refuses fails alone, whatever travels with it', async () => {
    const store = await open(await database())
    const impossible = newEvent({ at: '2026-02-30T00:00:00.000Z' })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) =>
        store.append(append(n + 1, 0, n % 13 === 7 ? { events: [newEvent(), impossible] } : {})),
      ),
    )
    const failed = outcomes.flatMap((outcome, n) => (outcome.status === 'rejected' ? [[n, outcome.reason.code]] : []))
    expect(failed).toEqual([7, 20, 33].map(n => [n, 'invalid_event']))
    const events = await readAllEvents(store)
    expect(events).toHaveLength(37)
    expect(events.map(event => event.actorId)).toEqual(events.map(event => event.actorId).sort((a, b) => a - b))
  })

  test('a full disk: a retryable error that names it; the log goes on when there is room', async () => {
    const store = await open(await database())
    await store.pool.query(`create function full_disk() returns trigger language plpgsql as
      $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`)
    await store.pool.query('create trigger full_disk before insert on events execute function full_disk()')
    await expect(store.append(append(1, 0))).rejects.toMatchObject({
      code: 'log_unavailable',
      retryable: true,
      message: expect.stringContaining('disk space'),
    })
    await store.pool.query('drop trigger full_disk on events')
    appended(await store.append(append(1, 0)))
  })

  test('what queues up while the server is away shares one patience', async () => {
    const server = await ownPostgres()
    cleanups.push(() => server.remove())
    await migrate({ url: server.url })
    let now = 0
    const clock: Clock = {
      now: () => now,
      after: (ms, callback) => {
        now += ms
        setImmediate(callback)
        return () => {}
      },
    }
    const store = await createPgEventStore({
      url: server.url,
      node: 'test',
      clock,
      log: silentLogger,
      patienceMs: 10_000,
    })
    cleanups.push(() => store.close())
    await server.kill9()
    const codes = await Promise.all(
      // Of one actor, so that each is a batch of its own.
      Array.from({ length: 6 }, (_, version) => store.append(append(1, version)).catch(error => error.code)),
    )
    expect(codes).toEqual(Array(6).fill('log_unavailable'))
    expect(now).toBeGreaterThanOrEqual(10_000)
    expect(now).toBeLessThan(20_000)
  }, 60_000)

  test('a server that stays away: a retryable error, and the same command id settles it afterwards', async () => {
    const server = await ownPostgres()
    cleanups.push(() => server.remove())
    await migrate({ url: server.url })
    const store = await open(server.url, 200)
    appended(await store.append(append(1, 0)))
    await server.kill9()
    const events = [newEvent({ commandId: 'c' })]
    await expect(store.append(append(1, 1, { events }))).rejects.toMatchObject({
      code: 'log_unavailable',
      retryable: true,
    })
    await server.restart()
    appended(await store.append(append(1, 1, { events })))
    expect((await store.append(append(2, 0, { events }))).outcome).toBe('duplicate')
  }, 60_000)
})
