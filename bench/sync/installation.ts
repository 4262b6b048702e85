/** What the parts of the benchmark of the fan-out share: one Redis, one node that sends, and nodes that receive, each a process. */
import { Redis } from 'ioredis'
import { startPrivateRedis } from '../../tests/sync/private-redis.ts'
import { type FanOutProcess, startFanOut } from '../fan-out-process.ts'
import { cpuSeconds, rounded } from '../measure.ts'
import type { BenchServer } from '../server.ts'
import type { Heard, ReceiverQuestions } from '../sides/fan-out-receiver.ts'
import type { SenderQuestions } from '../sides/fan-out-sender.ts'

export type Receiver = FanOutProcess<ReceiverQuestions>

export interface Installation {
  readonly sender: FanOutProcess<SenderQuestions>
  readonly redis: Redis
  /** As many as are wanted, started where there are fewer, all of them connected. */
  receivers(wanted: number): Promise<readonly Receiver[]>
  /** One that is not among the others, for as long as it is wanted. */
  another(): Promise<Receiver>
  /** Numbers of updates that no other run has. */
  take(count: number): number
  /** CPU of the servers from now on. */
  cpu(): Promise<CpuMeter>
  close(): Promise<void>
}

export interface CpuMeter {
  /** Microseconds an update, of each process. */
  perUpdate(updates: number, senderMicros: number, heard: readonly Heard[]): Promise<Readonly<Record<string, number>>>
}

export async function openInstallation(server: BenchServer): Promise<Installation> {
  const redisServer = await startPrivateRedis()
  const options = { database: await server.database(), redis: `redis://127.0.0.1:${redisServer.port}` }
  const redis = new Redis(options.redis)
  const running: { close(): Promise<void> }[] = []
  let names = 0
  let taken = 1
  const receivers: Receiver[] = []
  const another = () => startFanOut<ReceiverQuestions>('fan-out-receiver.ts', { ...options, name: `b${names++}` })
  const close = async () => {
    await Promise.all(running.map(process => process.close()))
    redis.disconnect()
    await redisServer.stop()
  }
  try {
    const sender = await startFanOut<SenderQuestions>('fan-out-sender.ts', { ...options, name: 'a' })
    running.push(sender)
    return {
      sender,
      redis,
      async receivers(wanted) {
        while (receivers.length < wanted) {
          const receiver = await another()
          running.push(receiver)
          receivers.push(receiver)
        }
        const some = receivers.slice(0, wanted)
        for (const receiver of some) await connected(receiver)
        return some
      },
      another,
      take(count) {
        taken += count
        return taken - count
      },
      async cpu() {
        const before = { redis: await redisCpuSeconds(redis), postgres: cpuSeconds(server.pid) }
        return {
          async perUpdate(updates, senderMicros, heard) {
            const each = (micros: number) => rounded(micros / updates)
            return {
              sender: each(senderMicros),
              eachReceiver: each(heard.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0) / heard.length),
              redis: each(((await redisCpuSeconds(redis)) - before.redis) * 1e6),
              postgres: each((cpuSeconds(server.pid) - before.postgres) * 1e6),
            }
          },
        }
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

export async function connected(receiver: Receiver): Promise<void> {
  while (!(await receiver.ask('ready', null)));
}

async function redisCpuSeconds(redis: Redis): Promise<number> {
  const text = await redis.info('cpu')
  const of = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1])
  return of('used_cpu_sys') + of('used_cpu_user')
}
