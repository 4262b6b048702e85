/** Node A: takes updates at a fixed rate, and publishes the same bytes by plain Redis for comparison. */
import { Redis } from 'ioredis'
import { createNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import type { LogEvent } from '../../src/core/event.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { type FanOutOptions, sharedNow } from '../fan-out-process.ts'
import { SILENT } from '../silent.ts'
import { liveStreams } from './ours.ts'

const STREAMS = 2_000
export const RAW_CHANNEL = 'raw'

export interface Load {
  readonly perSecond: number
  readonly count: number
}

export interface Sent {
  /** When each update was due to be sent, by its number. */
  readonly dueAt: Float64Array
  /** When each was durable and answered, or handed to the Redis client; NaN where it was not taken. */
  readonly acceptedAt: Float64Array
  readonly seconds: number
  readonly cpuMicros: number
}

export type SenderQuestions = Awaited<ReturnType<typeof open>>['questions']

export async function open({ database, redis, name }: FanOutOptions) {
  const node = await createNode({ database, redis, name, log: SILENT })
  const streams = await liveStreams(node.actors, STREAMS)
  const client = new Redis(redis, { enableAutoPipelining: true })
  const sample = await node.actor('stream', streams[0] as ActorId).send({ type: 'stream.stats.updated', bytesSent: 1 })
  if (!sample.ok || sample.tentative) throw new Error('the sample was not written to the log')
  const sampleEvent: LogEvent = sample.event

  const update = async (n: number): Promise<number> => {
    const stream = node.actor('stream', streams[n % STREAMS] as ActorId)
    try {
      // The number of the update, which its receivers find it by.
      const result = await stream.send({ type: 'stream.stats.updated', bitrateKbps: 6_000, fps: 60, bytesSent: n })
      return result.ok ? sharedNow() : Number.NaN
    } catch (error) {
      if (error instanceof AppError && error.code === 'overloaded') return Number.NaN
      throw error
    }
  }
  const publish = async (n: number): Promise<number> => {
    const data = { bitrateKbps: 6_000, fps: 60, bytesSent: n }
    const handedOver = sharedNow()
    await client.publish(RAW_CHANNEL, JSON.stringify({ ...sampleEvent, data }))
    return handedOver
  }

  return {
    questions: {
      update: (load: Load) => atRate(load, update),
      publish: (load: Load) => atRate(load, publish),
      head: (_: null) => node.log.head(),
      idle: async (_: null) => {
        await node.projections.caughtUp()
        return true
      },
    },
    close: async () => {
      client.disconnect()
      await node.close()
    },
  }
}

/** Sends at a fixed rate, whatever the answers take. @param operation answers when its update was taken */
async function atRate({ perSecond, count }: Load, operation: (n: number) => Promise<number>): Promise<Sent> {
  const dueAt = new Float64Array(count)
  const acceptedAt = new Float64Array(count).fill(Number.NaN)
  const running: Promise<void>[] = []
  const cpu = process.cpuUsage()
  const started = sharedNow()
  for (let n = 0; n < count; ) {
    for (const now = sharedNow(); n < count && started + (n * 1_000) / perSecond <= now; n++) {
      const mine = n
      dueAt[mine] = started + (mine * 1_000) / perSecond
      running.push(
        operation(mine).then(at => {
          acceptedAt[mine] = at
        }),
      )
    }
    // A timer, not a spin: the CPU belongs to the others too.
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(running)
  const seconds = (sharedNow() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return { dueAt, acceptedAt, seconds, cpuMicros: user + system }
}
