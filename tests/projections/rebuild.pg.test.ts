/** Rebuilds: what they find and mend, how they are interrupted and go on, and that nobody sees them half-done. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RebuildProgress } from '../../src/projections/rebuild.ts'
import { CHUNK } from '../../src/projections/recorded-events.ts'
import { systemClock } from '../../src/system-clock.ts'
import { doubledItem, note } from './item-entity.ts'
import { ItemLog } from './item-log.ts'

let log: ItemLog

beforeEach(async () => {
  log = await ItemLog.open()
})

afterEach(() => log.close())

const NOTHING = { missing: 0, extra: 0, different: 0 }

async function makeItems(count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, n) => log.write('item', n + 1, { type: 'item.made', name: `n${n + 1}` })),
  )
}

/** More events than a chunk holds: two chunks of items with three events each. */
async function makeSeveralChunks(): Promise<void> {
  await Promise.all(
    Array.from({ length: 2_400 }, (_, n) =>
      log.write(
        'item',
        n + 1,
        { type: 'item.made', name: `n${n + 1}` },
        { type: 'item.sized', size: 100 },
        { type: 'item.sized', size: 200 },
      ),
    ),
  )
}

async function tamper(sql: string, how: 'commit' | 'rollback' = 'commit'): Promise<void> {
  const transaction = await log.transaction(sql)
  await transaction.end(how)
}

/** Who holds the lock of a session that keeps other rebuilds out. */
const rebuildLock = `
  select pid from pg_locks where locktype = 'advisory' and granted and objid = (7236112046019 & 4294967295)::oid
    and database = (select oid from pg_database where datname = current_database())`

const leftovers = () =>
  log.query(`
    select tablename::text as name from pg_tables where tablename like 'rebuild%'
    union all select name from projection_checkpoints where name like 'rebuild%'
    union all select projection from projection_failures where projection like 'rebuild%'`)

describe('a verification', () => {
  test('names what is missing, too much and different, and changes nothing', async () => {
    const projections = await log.start()
    await makeItems(30)
    await log.write('item', 30, { type: 'item.removed' })
    await projections.caughtUp()
    expect(await log.rebuild({ verifyOnly: true })).toEqual({
      position: 31,
      failures: 0,
      tables: [{ table: 'items', rows: 29, ...NOTHING, unknown: 0, examples: [] }],
    })
    await tamper(`
      delete from items where id in (4, 5);
      update items set size = 9 where id = 7;
      insert into items values (30, 'revenant', 0, '2026-01-01'), (900, 'stranger', 0, '2026-01-01')`)
    const before = await log.rows()
    const verified = await log.rebuild({ verifyOnly: true })
    expect(verified.tables).toEqual([
      { table: 'items', rows: 29, missing: 2, extra: 1, different: 1, unknown: 1, examples: [4, 5, 7, 30] },
    ])
    expect(await log.rows()).toEqual(before)
    expect(await leftovers()).toEqual([])

    expect((await log.rebuild()).tables).toEqual(verified.tables)
    expect(await log.query('select id, name, size from items where id < 900 order by id')).toEqual(log.expectedRows())
    expect((await log.rebuild({ verifyOnly: true })).tables[0]).toMatchObject(NOTHING)
    expect(await leftovers()).toEqual([])
  })

  test('gives ten examples at the most', async () => {
    const projections = await log.start()
    await makeItems(30)
    await projections.caughtUp()
    await tamper('update items set size = 9')
    const [table] = (await log.rebuild({ verifyOnly: true })).tables
    expect(table).toMatchObject({ different: 30, examples: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] })
  })

  test('compares at the position of the read tables, where they are behind the log', async () => {
    const projections = await log.start()
    await makeItems(5)
    await projections.caughtUp()
    await projections.stop()
    await log.write('item', 6, { type: 'item.made', name: 'later' })
    const report = await log.rebuild({ verifyOnly: true })
    expect(report).toMatchObject({ position: 5, tables: [{ rows: 5, ...NOTHING }] })
  })
})

describe('a rebuild', () => {
  test('makes the tables of a log that was never projected, and lets the runner go on from there', async () => {
    await makeItems(20)
    const progress: RebuildProgress[] = []
    const report = await log.rebuild({ onProgress: step => progress.push(step) })
    expect(report).toMatchObject({ position: 20, tables: [{ rows: 20, missing: 20 }] })
    expect(progress.at(-1)).toMatchObject({ position: 20, head: 20 })
    expect(progress.at(-1)?.rate).toBeGreaterThan(0)
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(await log.checkpoint()).toBe(20)
    const projections = await log.start()
    await log.write('item', 1, { type: 'item.sized', size: 5 })
    await projections.caughtUp()
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(await projections.status()).toMatchObject({ position: 21, failures: 0 })
  })

  test('touches only rows that differ', async () => {
    const projections = await log.start()
    await makeItems(10)
    await projections.caughtUp()
    await tamper('update items set size = 9 where id = 3')
    const untouched = 'select id, xmin::text from items where id <> 3 order by id'
    const before = await log.query(untouched)
    await log.rebuild()
    expect(await log.query(untouched)).toEqual(before)
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('exchanges unique names between rows', async () => {
    const projections = await log.start()
    await makeItems(3)
    await projections.caughtUp()
    await tamper("update items set name = case id when 1 then 'n2' when 2 then 'n3' else 'n1' end")
    await log.rebuild()
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('lets actors in that can be projected now, and reports those that cannot', async () => {
    const projections = await log.start()
    await makeItems(4)
    await log.writeRaw('item', 1, { type: 'item.vanished' })
    await log.writeRaw('item', 2, { type: 'item.sized', schemaVersion: 2, data: { size: 5_000 } })
    await log.writeRaw('gadget', 5, { type: 'gadget.made' })
    await projections.caughtUp()
    expect((await projections.status()).failures).toBe(3)
    await log.client.query('alter table items drop constraint items_size_check')
    expect(await log.rebuild()).toMatchObject({ failures: 2 })
    expect((await projections.failures()).map(({ actorType, actorId }) => `${actorType}/${actorId}`).sort()).toEqual([
      'gadget/5',
      'item/1',
    ])
    expect(await log.query('select id, size from items where id <= 2 order by id')).toEqual([
      { id: 1, size: 0 },
      { id: 2, size: 5_000 },
    ])
  })

  test('ends equal while others go on writing, in every page of which readers see whole tables', async () => {
    const projections = await log.start({ clock: systemClock })
    await makeSeveralChunks()
    await projections.caughtUp()
    // What the log says: all sizes are equal within a name's first letter. Half-done tables would show both.
    await tamper('update items set size = 0')
    const reader = await log.connect()
    let reading = true
    const seen = new Set<string>()
    const look = async () => {
      const { rows } = await reader.query(
        'select string_agg(distinct size::text, $$,$$) as sizes, count(*)::int as n from items where id <= 2400',
      )
      seen.add(`${rows[0].n} of ${rows[0].sizes}`)
    }
    await look()
    const read = (async () => {
      while (reading) await look()
    })()
    const written = (async () => {
      for (let id = 3_001; id <= 3_060; id++) {
        await log.write('item', id, { type: 'item.made', name: `later ${id}` })
        await log.write('item', id, { type: 'item.sized', size: 300 })
        projections.wake()
      }
    })()
    await log.rebuild()
    reading = false
    await Promise.all([read, written])
    await look()
    await reader.end()
    expect([...seen].sort()).toEqual(['2400 of 0', '2400 of 200'])
    await projections.caughtUp()
    expect(await log.rows()).toEqual(log.expectedRows())
    expect((await log.rebuild({ verifyOnly: true })).tables[0]).toMatchObject(NOTHING)
  })

  test('is refused while another one runs', async () => {
    await makeItems(5)
    let second: Promise<unknown> | undefined
    await log.rebuild({
      onProgress: () => {
        second ??= expect(log.rebuild()).rejects.toMatchObject({ code: 'conflict' })
      },
    })
    expect(second).toBeDefined()
    await second
    expect(await log.rows()).toEqual(log.expectedRows())
    await log.rebuild()
  })

  test('that lost its lock to another one gives up before it writes', async () => {
    await makeSeveralChunks()
    let asked = 0
    const store = {
      ...log.store,
      // Asked where it starts, and for the progress after a chunk.
      head: async () => {
        // What the other one does when it takes over.
        if (++asked === 2) await log.client.query("delete from projection_checkpoints where name like 'rebuild/:run/%'")
        return log.store.head()
      },
    }
    const first = log.rebuild({ store, onProgress: () => {} })
    await expect(first).rejects.toMatchObject({ code: 'conflict' })
    expect(await log.rows()).toEqual([])
    await log.rebuild()
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('survives the loss of the connection that keeps others out', async () => {
    await makeSeveralChunks()
    let cut = 0
    const store = {
      ...log.store,
      head: async () => {
        cut += (await log.client.query(`select pg_terminate_backend(pid) from (${rebuildLock}) held`)).rowCount ?? 0
        return log.store.head()
      },
    }
    await log.rebuild({ store, onProgress: () => {} })
    expect(cut).toBe(1)
    expect(await log.rows()).toEqual(log.expectedRows())
  })
})

describe('an interrupted rebuild', () => {
  /** As a process, both times: vitest rewrites sources, which would pass for other code. */
  function startRebuild() {
    return spawn(
      process.execPath,
      [fileURLToPath(new URL('./rebuild-process.ts', import.meta.url)), log.database.url],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
  }

  /** Ends after the first chunk; what that chunk wrote is marked, so that it shows whether it was written again. */
  async function interruptAndMark(): Promise<void> {
    await makeSeveralChunks()
    await expect(
      log.rebuild({
        onProgress: () => {
          throw new Error('the power went')
        },
      }),
    ).rejects.toThrow('the power went')
    await log.until('(select max(position) > 0 from projection_checkpoints where name = $$rebuild/item$$)')
    await log.client.query('update rebuild_items set size = 99 where id = 1')
  }

  test('goes on where it stopped', async () => {
    await interruptAndMark()
    const positions: number[] = []
    await log.rebuild({ onProgress: ({ position }) => positions.push(position) })
    expect(await log.query('select size from items where id = 1')).toEqual([{ size: 99 }])
    expect((await log.rows()).slice(1)).toEqual(log.expectedRows().slice(1))
    // What was done before counts.
    expect(positions[0]).toBeGreaterThan(CHUNK)
    expect(await leftovers()).toEqual([])
  })

  test('starts over where it is told to, or where other code began it', async () => {
    await interruptAndMark()
    await log.rebuild({ fresh: true })
    expect(await log.rows()).toEqual(log.expectedRows())
    await log.client.query('truncate items; delete from projection_checkpoints')
    await expect(
      log.rebuild({
        onProgress: () => {
          throw new Error('the power went')
        },
      }),
    ).rejects.toThrow('the power went')
    await log.rebuild({ entities: [doubledItem, note] })
    expect(await log.query('select distinct size from items')).toEqual([{ size: 400 }])
  })

  test('may have been killed', async () => {
    await makeSeveralChunks()
    const child = startRebuild()
    // Its first question is where the log ends, the second comes after a chunk.
    await once(child.stdout, 'data')
    child.stdin.write('on\n')
    await once(child.stdout, 'data')
    await log.until('(select max(position) > 0 from projection_checkpoints where name = $$rebuild/item$$)')
    child.kill('SIGKILL')
    await once(child, 'close')
    await log.until(`not exists (${rebuildLock})`)
    await log.client.query('update rebuild_items set size = 99 where id in (1, 2)')
    await log.write('item', 1, { type: 'item.renamed', name: 'later' })
    await log.write('item', 2_401, { type: 'item.made', name: 'new' })

    const next = startRebuild()
    next.stdout.on('data', () => next.stdin.write('on\n'))
    expect(await once(next, 'close')).toEqual([0, null])
    // The mark is gone where the log went on, and stays where the killed one had been.
    expect((await log.rows()).filter(({ size }) => size === 99).map(({ id }) => id)).toEqual([2])
    expect((await log.rows()).filter(({ id }) => id !== 2)).toEqual(log.expectedRows().filter(({ id }) => id !== 2))
    expect(await leftovers()).toEqual([])
  })

  test('is of no use to a verification that compares at an earlier position', async () => {
    const projections = await log.start()
    await makeItems(3)
    await projections.caughtUp()
    await projections.stop()
    await log.write('item', 4, { type: 'item.made', name: 'd' })
    await expect(
      log.rebuild({
        onProgress: () => {
          throw new Error('the power went')
        },
      }),
    ).rejects.toThrow('the power went')
    expect(await log.rebuild({ verifyOnly: true })).toMatchObject({ position: 3, tables: [{ rows: 3, ...NOTHING }] })
  })
})
