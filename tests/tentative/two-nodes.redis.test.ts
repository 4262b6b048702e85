/** Two nodes on one Redis. */
import { afterEach, beforeEach } from 'vitest'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'
import { describeTwoNodes } from './two-nodes.ts'

let redis: PrivateRedis
beforeEach(async () => {
  redis = await startPrivateRedis()
})
afterEach(() => redis.stop())

describeTwoNodes('Redis', () => ({ redis: `redis://127.0.0.1:${redis.port}` }))
