/** The runner: where it starts, how it shares, what interrupts it and who waits for it. */
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { ItemLog } from './item-log.ts'

let log: ItemLog

beforeEach(async () => {
  log = await ItemLog.open()
})

afterEach(() => log.close())

/** The store, with a list of what was asked of it. */
function listening(): { store: PgEventStore; pages: number[]; streams: string[] } {
  const pages: number[] = []
  const streams: string[] = []
  const { store } = log
  return {
    pages,
    streams,
    store: {
      ...store,
      readAll: (after, limit) => {
        pages.push(after)
        return store.readAll(after, limit)
      },
      readRecorded: (actor, range) => {
        streams.push(`${actor.type}/${actor.id}`)
        return store.readRecorded(actor, range)
      },
    },
  }
}

/** Counts every row that is written to the table, by a trigger that no projection knows of. */
async function countWrites(): Promise<() => Promise<Record<string, number>>> {
  await log.client.query(`
    create table writes (op text not null, id integer not null);
    create function count_write() returns trigger language plpgsql as $$
    begin
      insert into writes select lower(tg_op), coalesce(new.id, old.id);
      return null;
    end $$;
    create trigger count_write after insert or update or delete on items for each row execute function count_write()`)
  return async () => {
    const rows = await log.query('select op, count(*)::int as n from writes group by op')
    return Object.fromEntries(rows.map(({ op, n }) => [op, n]))
  }
}

describe('the tables', () => {
  test('are what folding says, deleted actors and repeated changes included', async () => {
    const projections = await log.start()
    await log.write('item', 1, { type: 'item.made', name: 'a' }, { type: 'item.sized', size: 5 })
    await log.write('item', 2, { type: 'item.made', name: 'b' }, { type: 'item.removed' })
    await log.write('item', 3, { type: 'item.made', name: 'c' })
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.renamed', name: 'b' })
    await log.write('item', 3, { type: 'item.removed' })
    await projections.caughtUp()
    expect(await log.rows()).toEqual([{ id: 1, name: 'b', size: 5 }])
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('get each change once, and none where nothing differs', async () => {
    const writes = await countWrites()
    const projections = await log.start()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.sized', size: 1 }, { type: 'item.sized', size: 0 })
    await projections.caughtUp()
    expect(await writes()).toEqual({ insert: 1 })
    await log.write('item', 1, { type: 'item.sized', size: 1 }, { type: 'item.sized', size: 2 })
    await projections.caughtUp()
    expect(await writes()).toEqual({ insert: 1, update: 1 })
  })

  test('keep columns that someone else added', async () => {
    const projections = await log.start()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    await projections.caughtUp()
    await log.client.query("update items set remark = 'mine'")
    await log.write('item', 1, { type: 'item.sized', size: 7 })
    await projections.caughtUp()
    expect(await log.query('select size, remark from items')).toEqual([{ size: 7, remark: 'mine' }])
    await log.client.query('update items set size = 8')
    await log.rebuild()
    expect(await log.query('select size, remark from items')).toEqual([{ size: 7, remark: 'mine' }])
  })

  test('let actors without a table pass', async () => {
    const projections = await log.start()
    await log.write('note', 1, { type: 'item.made', name: 'a' })
    await log.writeRaw('note', 1, { type: 'item.unheard' })
    await projections.caughtUp()
    expect(await projections.status()).toEqual({ position: 2, head: 2, lag: 0, failures: 0 })
  })
})

describe('a restart', () => {
  test('goes on from the checkpoint, and loads what it needs of many actors at once', async () => {
    const first = await log.start()
    for (let id = 1; id <= 40; id++)
      await log.write('item', id, { type: 'item.made', name: `n${id}` }, { type: 'item.sized', size: 100 + id })
    await first.caughtUp()
    await first.stop()
    for (let id = 1; id <= 40; id++) await log.write('item', id, { type: 'item.renamed', name: `m${id}` })

    const spied = listening()
    const second = await log.start({ store: spied.store })
    await second.caughtUp()
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(Math.min(...spied.pages)).toBe(80)
    expect(spied.streams).toEqual([])
  })

  test('loads a stream that is too long for one answer in chunks', async () => {
    const first = await log.start()
    const many = Array.from({ length: 1_000 }, (_, n) => ({ type: 'item.sized', size: n % 12 }))
    await log.write('item', 1, { type: 'item.made', name: 'long' })
    await log.write('item', 2, { type: 'item.made', name: 'short' })
    for (let n = 0; n < 6; n++) await log.write('item', 1, ...many)
    await first.caughtUp()
    await first.stop()
    await log.write('item', 1, { type: 'item.sized', size: 777 })
    await log.write('item', 2, { type: 'item.sized', size: 5 })

    const spied = listening()
    const second = await log.start({ store: spied.store })
    await second.caughtUp()
    expect(await log.rows()).toEqual([
      { id: 1, name: 'long', size: 777 },
      { id: 2, name: 'short', size: 5 },
    ])
    expect(spied.streams).toEqual(['item/1'])
  })
})

describe('several nodes', () => {
  test('write each change once, and each sees what the other did', async () => {
    const writes = await countWrites()
    const nodes = [await log.start({ clock: systemClock }), await log.start({ clock: systemClock })]
    for (let round = 0; round < 8; round++) {
      for (let id = 1; id <= 5; id++)
        if (round === 0) await log.write('item', id, { type: 'item.made', name: `n${id}` })
        else await log.write('item', id, { type: 'item.sized', size: round })
      await Promise.all(nodes.map(node => node.caughtUp()))
      expect(await log.rows()).toEqual(log.expectedRows())
    }
    expect(await writes()).toMatchObject({ insert: 5 })
    expect((await writes()).update).toBeLessThanOrEqual(5 * 7)
  })

  test('one that finds another at work neither waits for it nor does its work again', async () => {
    const projections = await log.start()
    await projections.caughtUp()
    const other = await log.transaction("select from projection_checkpoints where name = 'read_tables' for update")
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    const caughtUp = projections.caughtUp()
    // A failed look is followed by a next one soon, because somebody waits.
    await expect.poll(() => log.clock.nextAt).toBe(log.clock.now() + 50)
    expect(await log.checkpoint()).toBe(0)
    await other.query("insert into items (id, name, \"timestamp\") values (1, 'a', '2026-01-01')")
    await other.query("update projection_checkpoints set position = 1 where name = 'read_tables'")
    await other.end('commit')
    log.clock.advance(50)
    await caughtUp
    expect((await projections.status()).position).toBe(1)
    expect(await log.rows()).toHaveLength(1)
  })
})

describe('an interruption', () => {
  test('in the middle of a page leaves nothing half-done, and nothing is done twice', async () => {
    const writes = await countWrites()
    const recording = createRecordingLog()
    const projections = await log.start({ log: recording })
    await projections.caughtUp()
    for (let id = 1; id <= 20; id++) await log.write('item', id, { type: 'item.made', name: `n${id}` })
    // The page is held up in its upsert, and its connection is cut there.
    const holdUp = await log.transaction('lock table items in share row exclusive mode')
    const caughtUp = projections.caughtUp()
    const held = "pid <> pg_backend_pid() and wait_event_type = 'Lock' and query like '%insert into \"items\"%'"
    await log.until(`exists (select from pg_stat_activity where ${held})`)
    await log.client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${held}`)
    await log.until(`not exists (select from pg_stat_activity where ${held})`)
    await holdUp.end('rollback')
    await expect.poll(() => recording.lines.length).toBe(1)
    expect(await log.checkpoint()).toBe(0)
    expect(await log.rows()).toEqual([])

    log.clock.advance(100)
    await caughtUp
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(await writes()).toEqual({ insert: 20 })
    expect(await projections.failures()).toEqual([])
  })

  test('is tried again later and later, and what was asked meanwhile is not forgotten', async () => {
    const recording = createRecordingLog()
    const projections = await log.start({ log: recording })
    await projections.caughtUp()
    // Not poison, for no row is at fault: the table is away.
    await log.client.query('alter table items rename to away')
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    const caughtUp = projections.caughtUp()
    const waits: number[] = []
    for (let failures = 1; failures <= 8; failures++) {
      await expect.poll(() => recording.lines.length).toBe(failures)
      waits.push((log.clock.nextAt ?? 0) - log.clock.now())
      if (failures < 8) log.clock.runNext()
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    await log.client.query('alter table away rename to items')
    log.clock.runNext()
    await caughtUp
    expect(await projections.failures()).toEqual([])
    expect(await log.rows()).toEqual(log.expectedRows())
    // And from there on by the usual beat.
    expect((log.clock.nextAt ?? 0) - log.clock.now()).toBe(3_000)
  })
})

describe('waking and waiting', () => {
  test('without a wake the next poll finds what is new', async () => {
    const projections = await log.start()
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    expect(await log.rows()).toEqual([])
    log.clock.advance(3_000)
    await log.until('exists (select from items)')
    expect(await log.checkpoint()).toBe(1)
  })

  test('what others told of is projected here where they do not do it within half a second', async () => {
    const projections = await log.start()
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    projections.heard(1)
    log.clock.advance(499)
    expect(await log.rows()).toEqual([])
    log.clock.advance(1)
    await log.until('exists (select from items)')
    await projections.caughtUp(1)
    await log.write('item', 2, { type: 'item.made', name: 'b' })
    projections.heard(2)
    log.clock.advance(500)
    await log.until('(select count(*) = 2 from items)')
  })

  test('and is left alone where they do, at the cost of one look', async () => {
    const spied = listening()
    const looks: Promise<unknown>[] = []
    const { pool } = log.store
    const watched = new Proxy(pool, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (typeof value !== 'function') return value
        if (name !== 'query') return value.bind(target)
        return (...args: unknown[]) => {
          const answer = Reflect.apply(value, target, args) as Promise<unknown>
          looks.push(answer)
          return answer
        }
      },
    })
    const projections = await log.start({ store: spied.store, pool: watched })
    const writer = await log.start()
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    for (let n = 0; n < 100; n++) projections.heard(1)
    await writer.caughtUp()
    const before = spied.pages.length
    looks.splice(0)
    log.clock.advance(500)
    await Promise.all(looks)
    await setImmediate()
    // It waits for what was begun.
    await projections.stop()
    expect([looks.length, spied.pages.length]).toEqual([1, before])
  })

  test('many wakes are one', async () => {
    const spied = listening()
    const projections = await log.start({ store: spied.store })
    await projections.caughtUp()
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    const before = spied.pages.length
    for (let n = 0; n < 100; n++) projections.wake()
    await projections.caughtUp()
    expect(spied.pages.length - before).toBeLessThanOrEqual(3)
  })

  test('what is committed within twenty milliseconds shares a page, unless somebody waits', async () => {
    const spied = listening()
    const projections = await log.start({ store: spied.store })
    await projections.caughtUp()
    const before = spied.pages.length
    for (let id = 1; id <= 3; id++) {
      await log.write('item', id, { type: 'item.made', name: `n${id}` })
      projections.wake()
      log.clock.advance(6)
    }
    expect(spied.pages.length).toBe(before)
    log.clock.advance(2)
    await log.until('(select count(*) = 3 from items)')
    expect(spied.pages.length).toBe(before + 1)
    await log.write('item', 4, { type: 'item.made', name: 'n4' })
    await projections.caughtUp()
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('a wake that comes while the last page ends is not lost', async () => {
    const projections = await log.start()
    for (let id = 1; id <= 50; id++) {
      await log.write('item', id, { type: 'item.made', name: `n${id}` })
      projections.wake()
    }
    // Long before the next poll, which would come to the rescue.
    log.clock.advance(20)
    await log.until('(select count(*) = 50 from items)')
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('a position that is not reached yet is waited for; one that is, is not', async () => {
    const projections = await log.start()
    const caughtUp = projections.caughtUp(2)
    await log.write('item', 1, { type: 'item.made', name: 'a' })
    await log.write('item', 2, { type: 'item.made', name: 'b' })
    projections.wake()
    await caughtUp
    expect(await log.rows()).toHaveLength(2)
    await projections.caughtUp(1)
    await projections.caughtUp(0)
  })

  test('stopping turns those away who wait', async () => {
    const projections = await log.start()
    await projections.caughtUp()
    const waiting = projections.caughtUp(1_000_000)
    const turnedAway = expect(waiting).rejects.toMatchObject({ code: 'shutting_down' })
    await projections.stop()
    await turnedAway
    await expect(projections.caughtUp(1_000_000)).rejects.toMatchObject({ code: 'shutting_down' })
    await projections.stop()
    projections.wake()
    expect(log.clock.pending).toBe(0)
  })
})
