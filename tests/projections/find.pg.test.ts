/** Ids by a column of a read table. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Projections } from '../../src/projections/projections.ts'
import { item } from './item-entity.ts'
import { ItemLog } from './item-log.ts'

let log: ItemLog
let projections: Projections

beforeEach(async () => {
  log = await ItemLog.open()
  const cut = {
    ...item,
    view: {
      ...(item.view ?? never()),
      columns: { id: 'integer', name: 'varchar(5)', size: 'integer', timestamp: 'timestamp' },
    },
  }
  projections = await log.start({ entities: [cut] })
})

afterEach(() => log.close())

function never(): never {
  throw new Error('items have a view')
}

async function fill(sql: string): Promise<void> {
  await (await log.transaction(sql)).end('commit')
}

test('more ids than one answer holds come in pages, in order', async () => {
  await fill("insert into items select n, 'n' || n, n % 2, '2026-01-01' from generate_series(1, 50002) n")
  const ids = await projections.find('items', 'size', 0)
  expect(ids).toHaveLength(25_001)
  expect(ids).toEqual(Array.from({ length: 25_001 }, (_, n) => 2 * (n + 1)))
})

test('null finds the rows without a value', async () => {
  await fill("insert into items values (1, 'a', 0, '2026-01-01'), (2, 'b', 0, '2026-01-01')")
  await log.client.query('alter table items alter column name drop not null')
  await fill('update items set name = null where id = 2')
  expect(await projections.find('items', 'name', null)).toEqual([2])
})

test('a value is compared whole, whatever length the column has', async () => {
  await fill("insert into items values (1, 'short', 0, '2026-01-01')")
  expect(await projections.find('items', 'name', 'short')).toEqual([1])
  expect(await projections.find('items', 'name', 'shorter')).toEqual([])
})

test.each([
  ['a table of no view', 'pg_authid', 'rolname', 'x'],
  ['a table that is a view’s only in part', 'items; drop table items', 'name', 'x'],
  ['a column of no view', 'items', 'remark', 'x'],
  ['a column that every object has', 'items', 'constructor', 'x'],
  ['a list', 'items', 'name', ['x']],
  ['a value the column cannot hold', 'items', 'size', 'many'],
])('%s is refused', async (_, table, column, value) => {
  await expect(projections.find(table, column, value)).rejects.toMatchObject({ code: 'invalid_input' })
})
