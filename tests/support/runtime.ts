/** A node on a test database, with its HTTP API on TCP and a socket. */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { HttpClient } from './http-client.ts'
import { TEST_KEYS } from './test-keys.ts'

export const TOKEN = 'a-token-of-the-tests'

export interface TestRuntime {
  readonly node: RuntimeNode
  readonly server: HttpServer
  readonly client: HttpClient
  readonly database: TestDatabase
  readonly socket: string
  stop(): Promise<void>
}

export async function startRuntime(
  options: NodeOptions & Partial<Omit<HttpServerOptions, 'node'>> = {},
): Promise<TestRuntime> {
  const database = await createTestDatabase()
  const node = await createNode({
    database: database.url,
    name: 'test',
    keys: TEST_KEYS,
    log: silentLogger,
    ...options,
  })
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rootstream-http-'))
  const socket = path.join(folder, 'api.sock')
  const server = await startHttpServer({
    node,
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    socket,
    log: silentLogger,
    ...options,
  })
  const client = new HttpClient(server.url, TOKEN, 16)
  return {
    node,
    server,
    client,
    database,
    socket,
    stop: async () => {
      client.close()
      await server.close()
      await node.close()
      await rm(folder, { recursive: true, force: true })
      await database.drop()
    },
  }
}
