/** One actor that cannot be projected: it is parked, and nobody else notices. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { item, note } from './item-entity.ts'
import { ItemLog } from './item-log.ts'

let log: ItemLog

beforeEach(async () => {
  log = await ItemLog.open()
})

afterEach(() => log.close())

/** Items 1 to 3, projected. */
async function threeItems() {
  const projections = await log.start()
  for (const [id, name] of [
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
  ] as const)
    await log.write('item', id, { type: 'item.made', name })
  await projections.caughtUp()
  return projections
}

describe('parks the actor', () => {
  test.each([
    [
      'whose history the code reads otherwise',
      { type: 'item.sized', state: 'shelved', schemaVersion: 2, data: { size: 1 } },
      'shelved',
    ],
    ['whose event the state does not take', { type: 'item.made', data: { name: 'again' } }, 'not allowed'],
    ['with an event that no code knows', { type: 'item.vanished' }, 'item.vanished'],
    ['whose old event the upcaster fails on', { type: 'item.sized', schemaVersion: 1, data: { feet: 1 } }, 'no inches'],
    ['with an event of newer code', { type: 'item.sized', schemaVersion: 3, data: { size: 1 } }, 'Upgrade this node'],
    ['whose view fails', { type: 'item.sized', schemaVersion: 2, data: { size: 13 } }, 'no view of that'],
    [
      'whose row breaks a check',
      { type: 'item.sized', schemaVersion: 2, data: { size: 1_001 } },
      'violates check constraint',
    ],
    [
      'whose row holds a value of another type',
      { type: 'item.sized', schemaVersion: 2, data: { size: 0.5 } },
      'invalid input syntax for type integer',
    ],
  ])('%s', async (_, event, error) => {
    const projections = await threeItems()
    await log.write('item', 1, { type: 'item.renamed', name: 'a1' })
    await log.writeRaw('item', 2, event)
    await log.write('item', 3, { type: 'item.renamed', name: 'c1' })
    await projections.caughtUp()
    expect(await log.query('select id, name from items order by id')).toEqual([
      { id: 1, name: 'a1' },
      { id: 2, name: 'b' },
      { id: 3, name: 'c1' },
    ])
    const [failure, second] = await projections.failures()
    expect(second).toBeUndefined()
    expect(failure).toMatchObject({ actorType: 'item', actorId: 2, position: 5 })
    expect(failure?.error).toContain(error)
    expect(failure?.error).not.toContain('0.5')
    expect(await projections.status()).toEqual({ position: 6, head: 6, lag: 0, failures: 1 })
    expect(await log.rebuild({ verifyOnly: true })).toMatchObject({ failures: 1 })
  })

  test('of an entity that no code knows, and passes over the rest of its events', async () => {
    const projections = await threeItems()
    await log.writeRaw('gadget', 7, { type: 'gadget.made' })
    await log.write('item', 1, { type: 'item.sized', size: 5 })
    await projections.caughtUp()
    await log.writeRaw('gadget', 7, { type: 'gadget.used' })
    await log.writeRaw('gadget', 8, { type: 'gadget.made' })
    await projections.caughtUp()
    expect(await projections.failures()).toMatchObject([
      { actorType: 'gadget', actorId: 7, position: 4 },
      { actorType: 'gadget', actorId: 8, position: 7 },
    ])
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(await projections.retry()).toBe(false)
    await projections.stop()
    // A release that knows it lets it in.
    const next = await log.start({ entities: [item, note, { ...note, type: 'gadget', events: {} }] })
    await next.caughtUp()
    expect(await next.failures()).toEqual([])
  })

  test('at its last good event, wherever the page began', async () => {
    const projections = await log.start()
    await log.write('item', 1, { type: 'item.made', name: 'a' }, { type: 'item.sized', size: 3 })
    await log.writeRaw('item', 1, { type: 'item.vanished' })
    await log.write('item', 1, { type: 'item.sized', size: 4 })
    await projections.caughtUp()
    expect(await log.rows()).toEqual([{ id: 1, name: 'a', size: 3 }])
    const report = await log.rebuild({ verifyOnly: true })
    expect(report).toMatchObject({ failures: 1, tables: [{ missing: 0, extra: 0, different: 0 }] })
  })

  test('that has lost events', async () => {
    await log.write('item', 1, { type: 'item.made', name: 'a' }, { type: 'item.sized', size: 3 })
    await log.client.query("set rootstream.rewrite_history = 'on'; delete from events where version = 1")
    const projections = await log.start()
    await projections.caughtUp()
    expect((await projections.failures())[0]?.error).toContain('lost events')
    expect(await log.rows()).toEqual([])
  })
})

describe('a parked actor', () => {
  test('of which newer code wrote goes on with the start of a node that has the code; what is still wrong does not', async () => {
    const sized = item.events['item.sized']
    if (sized === undefined) throw new Error('no such event')
    const upcasters = { ...sized.upcasters, [sized.version]: (data: JsonObject) => data }
    const newer = {
      ...item,
      events: { ...item.events, 'item.sized': { ...sized, version: sized.version + 1, upcasters } },
    }
    const old = await threeItems()
    await log.writeRaw('item', 1, { type: 'item.sized', schemaVersion: sized.version + 1, data: { size: 7 } })
    await log.writeRaw('item', 3, { type: 'item.vanished' })
    await old.caughtUp()
    expect((await old.failures()).map(({ actorId }) => actorId)).toEqual([1, 3])
    await old.stop()

    const same = await log.start()
    await same.caughtUp()
    expect((await same.failures()).map(({ actorId }) => actorId).toSorted()).toEqual([1, 3])
    await same.stop()

    const upgraded = await log.start({ entities: [newer, note] })
    await upgraded.caughtUp()
    expect((await upgraded.failures()).map(({ actorId }) => actorId)).toEqual([3])
    expect(await log.query('select size from items where id = 1')).toEqual([{ size: 7 }])
    await log.writeRaw('item', 1, { type: 'item.sized', schemaVersion: sized.version + 1, data: { size: 8 } })
    await upgraded.caughtUp()
    expect(await log.query('select size from items where id = 1')).toEqual([{ size: 8 }])
  })

  test('stays as it is until it is retried, and then shows all of its events', async () => {
    const projections = await threeItems()
    await log.writeRaw('item', 2, { type: 'item.sized', schemaVersion: 2, data: { size: 2_000 } })
    await projections.caughtUp()
    await log.writeRaw('item', 2, { type: 'item.renamed', data: { name: 'b1' } })
    await projections.caughtUp()
    expect(await log.query('select name, size from items where id = 2')).toEqual([{ name: 'b', size: 0 }])
    expect(await projections.retry(actorRef('item', 2))).toBe(false)
    await log.client.query('alter table items drop constraint items_size_check')
    expect(await projections.retry(actorRef('item', 2))).toBe(true)
    expect(await log.query('select name, size from items where id = 2')).toEqual([{ name: 'b1', size: 2_000 }])
    await log.writeRaw('item', 2, { type: 'item.renamed', data: { name: 'b2' } })
    await projections.caughtUp()
    expect(await log.query('select name, size from items where id = 2')).toEqual([{ name: 'b2', size: 2_000 }])
    expect(await projections.failures()).toEqual([])
  })

  test('is not made by a retry of what is well or does not exist', async () => {
    const projections = await threeItems()
    expect(await projections.retry(actorRef('item', 1))).toBe(true)
    expect(await projections.retry(actorRef('gadget', 9))).toBe(true)
    expect(await projections.retry()).toBe(true)
    expect(await projections.failures()).toEqual([])
    expect(await log.rows()).toEqual(log.expectedRows())
  })

  test('among many: a retry lets in those that are cured, in one go', async () => {
    const projections = await log.start({ clock: systemClock })
    for (let id = 1; id <= 30; id++) {
      await log.write('item', id, { type: 'item.made', name: `n${id}` })
      await log.writeRaw('item', id, { type: id % 3 === 0 ? 'item.vanished' : 'item.lost' })
    }
    await projections.caughtUp()
    expect((await projections.status()).failures).toBe(30)
    await log.client.query(
      `set rootstream.rewrite_history = 'on'; update events set type = 'item.renamed', data = '{"name": "x"}' || jsonb_build_object('name', 'x' || actor_id) where type = 'item.lost'`,
    )
    expect(await projections.retry()).toBe(false)
    expect((await projections.failures()).map(({ actorId }) => actorId % 3)).toEqual(Array(10).fill(0))
    expect(await log.query("select count(*)::int as n from items where name like 'x%'")).toEqual([{ n: 20 }])
  })

  test('is logged once for the page, not once for each of many', async () => {
    const recording = createRecordingLog()
    for (let id = 1; id <= 20; id++) await log.writeRaw('item', id, { type: 'item.vanished' })
    const projections = await log.start({ log: recording })
    await projections.caughtUp()
    expect(recording.lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { parked: 20 } }])
  })
})

describe('a unique name', () => {
  const rename = (id: number, name: string) => log.write('item', id, { type: 'item.renamed', name })
  /** Lets what was written meanwhile be one page. */
  async function asOnePage(write: () => Promise<void>) {
    const first = await threeItems()
    await first.stop()
    await write()
    const projections = await log.start()
    await projections.caughtUp()
    return projections
  }

  test('may be given up and taken over within a page, and even exchanged', async () => {
    const projections = await asOnePage(async () => {
      await rename(1, 'd')
      await rename(2, 'a')
      await rename(3, 'temporary')
      await log.write('item', 4, { type: 'item.made', name: 'c' })
      await rename(4, 'b')
      await rename(3, 'c')
    })
    expect(await log.rows()).toEqual(log.expectedRows())
    expect(await projections.failures()).toEqual([])
  })

  test('may change hands while another actor of the page is poison', async () => {
    const projections = await asOnePage(async () => {
      // A ring of three, a chain over a deleted one, and two rows that cannot be written.
      await rename(1, 't')
      await rename(2, 'a')
      await rename(3, 'b')
      await rename(1, 'c')
      await log.write('item', 4, { type: 'item.made', name: 'd' }, { type: 'item.removed' })
      await log.write('item', 5, { type: 'item.made', name: 'd' })
      await log.writeRaw('item', 6, { type: 'item.made', data: { name: 'e' } })
      await log.writeRaw('item', 6, { type: 'item.sized', schemaVersion: 2, data: { size: 5_000 } })
      await log.writeRaw('item', 7, { type: 'item.made', data: { name: 'f' } })
      await log.writeRaw('item', 7, { type: 'item.sized', schemaVersion: 2, data: { size: 0.25 } })
    })
    expect(await log.query('select id, name from items order by id')).toEqual([
      { id: 1, name: 'c' },
      { id: 2, name: 'a' },
      { id: 3, name: 'b' },
      { id: 5, name: 'd' },
    ])
    expect((await projections.failures()).map(({ actorId }) => actorId).sort()).toEqual([6, 7])
  })

  test('that two want goes to the one who holds it, or else to the first', async () => {
    const projections = await asOnePage(async () => {
      await rename(2, 'a')
      await log.write('item', 4, { type: 'item.made', name: 'd' })
      await log.write('item', 5, { type: 'item.made', name: 'd' })
      await log.write('item', 1, { type: 'item.sized', size: 1 })
    })
    expect(await log.rows()).toEqual([
      { id: 1, name: 'a', size: 1 },
      { id: 2, name: 'b', size: 0 },
      { id: 3, name: 'c', size: 0 },
      { id: 4, name: 'd', size: 0 },
    ])
    expect((await projections.failures()).map(({ actorId }) => actorId).sort()).toEqual([2, 5])
    expect((await projections.failures())[0]?.error).toContain('unique')
    // Once the holder gives it up, a retry is enough.
    await rename(1, 'z')
    await projections.caughtUp()
    expect(await projections.retry(actorRef('item', 2))).toBe(true)
    expect(await log.query('select id from items where name = $$a$$')).toEqual([{ id: 2 }])
  })

  test('held by a row of which the log knows nothing stays there, live and in a rebuild', async () => {
    const holder = await log.transaction("insert into items values (900, 'old', 0, '2020-01-01', 'by hand')")
    await holder.end('commit')
    const projections = await asOnePage(async () => {
      await log.write('item', 4, { type: 'item.made', name: 'old' })
      await rename(1, 'new')
    })
    expect((await projections.failures()).map(({ actorId }) => actorId)).toEqual([4])
    const report = await log.rebuild()
    expect(report).toMatchObject({
      failures: 1,
      tables: [{ table: 'items', rows: 3, missing: 0, extra: 0, different: 0, unknown: 1 }],
    })
    expect(await log.query('select id from items order by id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 900 }])
    expect((await projections.failures()).map(({ actorId }) => actorId)).toEqual([4])
  })
})
