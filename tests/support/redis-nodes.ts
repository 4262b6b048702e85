/** Nodes that hear each other over a Redis, on a database: both made anew for each test. */
import { createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

/** What tests call is of what `open` has opened last. */
export function createRedisNodes() {
  let database: TestDatabase
  let redis: PrivateRedis
  const nodes: RuntimeNode[] = []
  const url = () => `redis://127.0.0.1:${redis.port}`
  return {
    url,
    async open(): Promise<void> {
      database = await createTestDatabase()
      redis = await startPrivateRedis()
    },
    async start(name: string, options: NodeOptions = {}): Promise<RuntimeNode> {
      const node = await createNode({ database: database.url, redis: url(), name, log: silentLogger, ...options })
      nodes.push(node)
      return node
    },
    stopRedis: () => redis.stop(),
    /** At the address it had, empty. */
    async startRedis(): Promise<void> {
      redis = await startPrivateRedis({ port: redis.port })
    },
    async close(): Promise<void> {
      for (const node of nodes.splice(0)) await node.close()
      await redis.stop()
      await database.drop()
    },
  }
}
