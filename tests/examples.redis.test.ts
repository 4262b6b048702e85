/** The example of several nodes, over a real Redis. */
import { expect, test } from 'vitest'
import { main } from '../examples/multi-instance.ts'
import { silentLogger } from '../src/logging.ts'
import { createTestDatabase } from './support/database.ts'
import { MULTI_INSTANCE } from './support/multi-instance-lines.ts'
import { startPrivateRedis } from './sync/private-redis.ts'

test('three nodes on one Redis, one cut off and healed', async () => {
  const database = await createTestDatabase()
  const redis = await startPrivateRedis()
  const lines: string[] = []
  try {
    const options = { database: database.url, redis: `redis://127.0.0.1:${redis.port}`, log: silentLogger }
    await main(options, line => lines.push(line))
  } finally {
    await redis.stop()
    await database.drop()
  }
  expect(lines).toEqual(MULTI_INSTANCE)
})
