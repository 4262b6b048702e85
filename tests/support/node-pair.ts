/** Two nodes that hear each other, on a database of their own. */
import { createInProcessHub, createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

export interface NodePair {
  readonly database: TestDatabase
  readonly node: RuntimeNode
  readonly other: RuntimeNode
  close(): Promise<void>
}

export async function startNodePair(options: NodeOptions = {}): Promise<NodePair> {
  const database = await createTestDatabase()
  const both = { database: database.url, log: silentLogger, hub: createInProcessHub(), ...options }
  const node = await createNode({ ...both, name: 'a' })
  const other = await createNode({ ...both, name: 'b' })
  return {
    ...{ database, node, other },
    close: async () => {
      await Promise.all([node.close(), other.close()])
      await database.drop()
    },
  }
}
