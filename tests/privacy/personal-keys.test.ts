/** Keys at hand: made once, read in batches, gone when they are destroyed, here or elsewhere. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import type { PersonalKeyTable } from '../../src/core/personal.ts'
import { createMemoryKeyTable } from '../../src/privacy/memory-key-table.ts'
import { PersonalKeys } from '../../src/privacy/personal-keys.ts'
import { createManualClock } from '../support/manual-clock.ts'

function counting(table: PersonalKeyTable) {
  const asked: (readonly number[])[] = []
  const counted: PersonalKeyTable = {
    ...table,
    read: users => {
      asked.push([...users])
      return table.read(users)
    },
  }
  return { asked, counted }
}

const old = { id: 'old', key: randomBytes(32) }
const young = { id: 'young', key: randomBytes(32) }
const wrapping = createKeyRing([old])

test('a user has one key, whichever node asks first', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  const [a, b] = [new PersonalKeys({ table, clock, wrapping }), new PersonalKeys({ table, clock, wrapping })]
  const made = await Promise.all([a.make(1), b.make(1), a.make(1), a.make(2)])
  expect(made[0]?.equals(made[1] as never)).toBe(true)
  expect(made[0]?.equals(made[2] as never)).toBe(true)
  expect(made[0]?.equals(made[3] as never)).toBe(false)
})

test('what is asked for in one turn is one read, and what is at hand none', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  const writer = new PersonalKeys({ table, clock, wrapping })
  for (const user of [1, 2, 3]) await writer.make(user)
  const { asked, counted } = counting(table)
  const keys = new PersonalKeys({ table: counted, clock, wrapping })
  await Promise.all([keys.read(new Set([1, 2])), keys.read(new Set([2, 3])), keys.read(new Set([4]))])
  expect(asked).toEqual([[1, 2, 3, 4]])
  expect((await keys.read(new Set([1, 3]))).size).toBe(2)
  expect(asked).toHaveLength(1)
  // Of whom there is no key, somebody else may have made one meanwhile.
  await writer.make(4)
  expect((await keys.read(new Set([4]))).get(4)).not.toBeNull()
})

test('a key that was destroyed is gone at once here, at once where it is told, and within a minute elsewhere', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  const [a, told, deaf] = [1, 2, 3].map(() => new PersonalKeys({ table, clock, wrapping })) as [
    PersonalKeys,
    PersonalKeys,
    PersonalKeys,
  ]
  for (const keys of [a, told, deaf]) await keys.make(1)
  await a.destroy(1)
  told.destroyed(1)
  expect(a.peek(1)).toBeNull()
  expect(told.peek(1)).toBeNull()
  expect(deaf.peek(1)).not.toBeNull()
  clock.advance(59_999)
  expect(deaf.peek(1)).not.toBeUndefined()
  clock.advance(1)
  expect(deaf.peek(1)).toBeUndefined()
  expect((await deaf.read(new Set([1]))).get(1)).toBeNull()
  expect(await deaf.make(1)).toBeNull()
})

test('a read that was under way when it was destroyed does not bring it back', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  await new PersonalKeys({ table, clock, wrapping }).make(1)
  let answer = () => {}
  const late: PersonalKeyTable = {
    ...table,
    read: async users => {
      const found = await table.read(users)
      await new Promise<void>(resolve => {
        answer = resolve
      })
      return found
    },
  }
  const keys = new PersonalKeys({ table: late, clock, wrapping })
  const reading = keys.read(new Set([1]))
  await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)))
  await keys.destroy(1)
  answer()
  expect((await reading).get(1)).toBeNull()
  expect(keys.peek(1)).toBeNull()
})

test('a failure of the table is that of everyone who asked, and of nobody after', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  let away = true
  const keys = new PersonalKeys({
    table: { ...table, add: wrapped => (away ? Promise.reject(new Error('away')) : table.add(wrapped)) },
    clock,
    wrapping,
  })
  const failed = await Promise.allSettled([keys.make(1), keys.make(2)])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  away = false
  expect(await keys.make(1)).not.toBeNull()
})

test('keys are wrapped by the ring, those under an older key anew by a rotation, destroyed ones never', async () => {
  const table = createMemoryKeyTable()
  const clock = createManualClock()
  const before = new PersonalKeys({ table, clock, wrapping })
  const first = await before.make(1)
  for (const user of [2, 3]) await before.make(user)
  await before.destroy(2)
  const reseal = async (keys: PersonalKeys) => {
    const told: number[] = []
    return { resealed: await keys.reseal(count => told.push(count)), told }
  }
  expect(await reseal(before)).toEqual({ resealed: 0, told: [0] })
  const rotating = new PersonalKeys({ table, clock, wrapping: createKeyRing([young, old]) })
  expect(await reseal(rotating)).toEqual({ resealed: 2, told: [2] })
  expect(await reseal(rotating)).toEqual({ resealed: 0, told: [0] })
  const after = new PersonalKeys({ table, clock, wrapping: createKeyRing([young]) })
  expect((await after.read(new Set([1]))).get(1)?.equals(first as never)).toBe(true)
  expect((await after.read(new Set([2]))).get(2)).toBeNull()
  const left = [...(await table.read([1, 2, 3])).values()]
  expect(left.filter(wrapped => wrapped?.startsWith('v1.young.'))).toHaveLength(2)
  const late = new PersonalKeys({ table, clock, wrapping })
  await expect(late.read(new Set([1]))).rejects.toMatchObject({ code: 'corrupt_data' })
})
