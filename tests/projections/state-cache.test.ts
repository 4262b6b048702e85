import { expect, test } from 'vitest'
import { actorId } from '../../src/core/ids.ts'
import { initialState } from '../../src/machines/decide.ts'
import type { FoldedActor } from '../../src/projections/fold.ts'
import { isViewed } from '../../src/projections/read-table.ts'
import { StateCache } from '../../src/projections/state-cache.ts'
import { item } from './item-entity.ts'

function actor(id: number): FoldedActor {
  if (!isViewed(item)) throw new Error('items have a view')
  return {
    entity: item,
    ref: { type: 'item', id: actorId(id) },
    version: 1,
    position: id,
    state: initialState(item),
  }
}

test('holds no more than its capacity, and lets go of what was touched longest ago', () => {
  const cache = new StateCache(3)
  for (const id of [1, 2, 3]) cache.set(`item/${id}`, actor(id))
  cache.set('item/1', actor(1))
  cache.set('item/4', actor(4))
  expect(cache.size).toBe(3)
  expect(cache.get('item/2')).toBeUndefined()
  expect(['item/1', 'item/3', 'item/4'].map(key => cache.get(key)?.ref.id)).toEqual([1, 3, 4])
  cache.delete('item/1')
  expect(cache.size).toBe(2)
})
