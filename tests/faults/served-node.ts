/** A node of this process on a given database, with its HTTP API and a client of it. */
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { HttpClient } from '../support/http-client.ts'
import { TEST_KEYS } from '../support/test-keys.ts'

const TOKEN = 'a-token-of-the-tests'

export interface ServedNode {
  readonly node: RuntimeNode
  /** For the load. */
  readonly client: HttpClient
  /** For whoever asks after the node beside it: the load may keep every connection of its own waiting. */
  readonly bystander: HttpClient
  stop(): Promise<void>
}

export async function serveNode(database: string, options: NodeOptions = {}): Promise<ServedNode> {
  const node = await createNode({ database, name: 'served', keys: TEST_KEYS, log: silentLogger, ...options })
  const server = await startHttpServer({ node, host: '127.0.0.1', port: 0, token: TOKEN, log: silentLogger })
  const client = new HttpClient(server.url, TOKEN, 64)
  const bystander = new HttpClient(server.url, TOKEN, 2)
  return {
    node,
    client,
    bystander,
    stop: async () => {
      client.close()
      bystander.close()
      await server.close()
      await node.close()
    },
  }
}
