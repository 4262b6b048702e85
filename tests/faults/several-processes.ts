/** Nodes in processes of their own on one Postgres and one Redis, each with a way of its own to both that a test can break. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { TestContext } from 'vitest'
import { expect } from 'vitest'
import { type NodeProcess, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts'
import { HttpClient } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'

export const TOKEN = 'a-token-of-the-tests'

export interface StartOptions {
  /** Default its position: n1, n2, … */
  readonly name?: string
  /** `point@count` of `src/core/fault-point.ts`. */
  readonly fault?: string
  /** How far its wall clock is ahead. */
  readonly clockSkewMs?: number
}

export interface ServedProcess {
  readonly name: string
  readonly home: string
  readonly process: NodeProcess
  readonly client: HttpClient
  readonly toPostgres: FaultProxy
  readonly toRedis: FaultProxy
  /** Status and detail of a part, as `/health` tells it. */
  component(name: 'log' | 'bus'): Promise<{ readonly status: string; readonly detail: Record<string, number> }>
}

export interface SeveralProcesses {
  readonly database: TestDatabase
  readonly redis: PrivateRedis
  start(options?: StartOptions): Promise<ServedProcess>
  /** Stops Redis and starts another on its port, empty. */
  restartRedis(): Promise<void>
}

export async function severalProcesses({ onTestFinished }: TestContext): Promise<SeveralProcesses> {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const folder = await temporaryFolder('several')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  let redis = await startPrivateRedis()
  onTestFinished(() => redis.stop())
  const redisUrl = `redis://127.0.0.1:${redis.port}`
  let homes = 0

  return {
    database,
    get redis() {
      return redis
    },
    restartRedis: async () => {
      const { port } = redis
      await redis.stop()
      redis = await startPrivateRedis({ port })
    },
    start: async ({ name = `n${homes + 1}`, fault = '', clockSkewMs } = {}) => {
      const home = path.join(folder, String(homes++))
      const [toPostgres, toRedis] = await Promise.all([openFaultProxy(database.url), openFaultProxy(redisUrl)])
      const skewed =
        clockSkewMs === undefined ? [] : ['--import', path.resolve(import.meta.dirname, '../support/skewed-date.ts')]
      const process = await startNodeProcess(
        {
          DATABASE_URL: toPostgres.via(database.url),
          REDIS_URL: toRedis.via(redisUrl),
          ROOTSTREAM_HOME: home,
          ROOTSTREAM_HTTP_PORT: '0',
          ROOTSTREAM_TOKEN: TOKEN,
          ROOTSTREAM_NODE: name,
          LOG_LEVEL: 'silent',
          ROOTSTREAM_FAULT: fault,
          ROOTSTREAM_CLOCK_SKEW_MS: String(clockSkewMs ?? 0),
        },
        { nodeArgs: ['--conditions=fault-points', ...skewed] },
      )
      const client = new HttpClient(process.url, TOKEN, 48)
      onTestFinished(async () => {
        client.close()
        await process.kill()
        await Promise.all([toPostgres.close(), toRedis.close()])
      })
      return {
        name,
        home,
        process,
        client,
        toPostgres,
        toRedis,
        component: async component => {
          const { body } = await client.request('GET', '/health')
          return (body as { components: Record<string, never> }).components[component] as never
        },
      }
    },
  }
}

/** Resolves when each of them hears the others. */
export async function connected(...nodes: readonly ServedProcess[]): Promise<void> {
  for (const node of nodes)
    await eventually(async () => expect(await node.component('bus')).toMatchObject({ status: 'ok' }))
}
