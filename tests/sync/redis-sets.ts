/** Several Redis servers that belong together: a master that sentinels watch, and a cluster. */
import { rm } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from './eventually.ts'
import { freePort, type PrivateRedis, startPrivateRedis } from './private-redis.ts'

export interface SentinelSet {
  readonly url: string
  /** The one that the sentinels name now. */
  master(): Promise<PrivateRedis>
  readonly sentinels: readonly PrivateRedis[]
  ask(...command: [string, ...string[]]): Promise<unknown>
  stop(): Promise<void>
}

/** A master, a replica, and three sentinels of which two must agree. */
export async function startSentinelSet(): Promise<SentinelSet> {
  const first = await startPrivateRedis()
  const second = await startPrivateRedis({ settings: ['--replicaof', '127.0.0.1', String(first.port)] })
  const settings = [
    `sentinel monitor main 127.0.0.1 ${first.port} 2`,
    'sentinel down-after-milliseconds main 1000',
    'sentinel failover-timeout main 5000',
  ]
  const sentinels = await Promise.all([1, 2, 3].map(() => startPrivateRedis({ sentinel: settings })))
  const asking = sentinels.map(({ port }) => new Redis({ port }))
  const ask = (...command: [string, ...string[]]) => asking[0]?.call(...command) ?? Promise.reject(new Error('none'))
  await eventually(async () => {
    for (const sentinel of asking) {
      const [row = []] = (await sentinel.call('SENTINEL', 'MASTERS')) as string[][]
      const field = (name: string) => row[row.indexOf(name) + 1]
      expect([field('num-slaves'), field('num-other-sentinels'), field('flags')]).toEqual(['1', '2', 'master'])
    }
  })
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/main`,
    sentinels,
    ask,
    async master() {
      const [, port] = (await ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')) as string[]
      return Number(port) === first.port ? first : second
    },
    async stop() {
      for (const connection of asking) connection.disconnect()
      await Promise.all([...sentinels, first, second].map(server => server.stop()))
    },
  }
}

export interface RedisCluster {
  readonly url: string
  readonly ports: readonly number[]
  /** Speaks to one node. */
  admin(index: number): Redis
  /** Ends one without a word. */
  kill(index: number): Promise<void>
  restart(index: number): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384

/** Masters alone, each with its share of the slots. What is left serves on when one is away. */
export async function startCluster(masters: number): Promise<RedisCluster> {
  const starts = await Promise.all(
    Array.from({ length: masters }, async () => {
      const [port, busPort, dir] = [await freePort(), await freePort(), await temporaryFolder('redis-cluster')]
      const settings = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)]
      settings.push('--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no')
      return { port, busPort, dir, start: () => startPrivateRedis({ port, dir, settings }) }
    }),
  )
  const servers = await Promise.all(starts.map(({ start }) => start()))
  const admins = servers.map(({ port }) => {
    const admin = new Redis({ port })
    // Its server is ended in tests.
    admin.on('error', () => {})
    return admin
  })
  for (const [index, admin] of admins.entries()) {
    const [from, to] = [index, index + 1].map(share => Math.floor((share * SLOTS) / masters))
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? 0) - 1))
    for (const { port, busPort } of starts)
      await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
  }
  const well = () =>
    eventually(async () => {
      for (const admin of admins) {
        const info = String(await admin.call('CLUSTER', 'INFO'))
        expect(info).toMatch(new RegExp(`cluster_state:ok[^]*cluster_slots_ok:${SLOTS}[^]*cluster_size:${masters}`))
        expect((await admin.call('CLUSTER', 'SLOTS')) as unknown[]).toHaveLength(masters)
      }
    })
  await well()
  const at = <T>(list: readonly T[], index: number): T => {
    const item = list[index]
    if (item === undefined) throw new Error(`there is no node ${index}`)
    return item
  }
  return {
    url: `redis+cluster://${starts.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    ports: starts.map(({ port }) => port),
    admin: index => at(admins, index),
    async kill(index) {
      at(servers, index).signal('SIGKILL')
      await at(servers, index).stop()
    },
    async restart(index) {
      servers[index] = await at(starts, index).start()
      await well()
    },
    async stop() {
      for (const admin of admins) admin.disconnect()
      await Promise.all(servers.map(server => server.stop()))
      for (const { dir } of starts) await rm(dir, { recursive: true, force: true })
    },
  }
}
