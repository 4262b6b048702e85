/** The table of keys beside many writers, and under a Postgres that falls silent. */
import { expect, test } from 'vitest'
import { createPgKeyTable } from '../../src/eventstore/personal-key-table.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { createPool } from '../../src/eventstore/pool.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { openPersonalLog } from '../../src/node-log.ts'
import { systemClock } from '../../src/system-clock.ts'
import { openFaultProxy } from '../support/fault-proxy.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { cleanups, database } from './test-stores.ts'

test('two nodes make keys for the same users, asked for in another order: each user has one, and neither waits for the other', async () => {
  const url = await database()
  const tables = [1, 2].map(() => {
    const pool = createPool({ url, log: silentLogger, size: 1 })
    cleanups.push(() => pool.end())
    return createPgKeyTable(pool)
  })
  for (let round = 0; round < 20; round++) {
    const users = Array.from({ length: 1_000 }, (_, index) => round * 1_000 + index + 1)
    const [a, b] = await Promise.all(
      tables.map((table, node) =>
        table.add(new Map((node === 0 ? users : users.toReversed()).map(user => [user, `v1.${node}.${user}`]))),
      ),
    )
    expect(a?.size).toBe(users.length)
    expect(new Map([...(b ?? [])].sort(([one], [other]) => one - other))).toEqual(
      new Map([...(a ?? [])].sort(([one], [other]) => one - other)),
    )
  }
})

test('a Postgres that is silent is given up as by every other read of the log', { timeout: 30_000 }, async () => {
  const url = await database()
  const proxy = await openFaultProxy(url)
  cleanups.push(() => proxy.close())
  const inner = await createPgEventStore({
    ...{ url: proxy.via(url), node: 'test', clock: systemClock, log: silentLogger },
    readPatienceMs: 800,
  })
  cleanups.push(() => {
    proxy.heal()
    return inner.close()
  })
  const { personalKeys } = await openPersonalLog(inner, {
    ...{ keys: TEST_KEYS, entities, clock: systemClock, log: silentLogger },
  })
  await personalKeys.make(1)
  proxy.cut()
  const unavailable = { status: 'rejected', reason: expect.objectContaining({ code: 'log_unavailable' }) }
  expect(await Promise.allSettled([personalKeys.read(new Set([2])), personalKeys.make(3)])).toEqual([
    unavailable,
    unavailable,
  ])
})
