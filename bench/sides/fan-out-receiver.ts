/** Node B: notes when each update is told to its subscriber, and when plain Redis would have told it. */
import { Redis } from 'ioredis'
import { createNode } from '../../src/app.ts'
import { type FanOutOptions, sharedNow } from '../fan-out-process.ts'
import { SILENT } from '../silent.ts'
import { RAW_CHANNEL } from './fan-out-sender.ts'

/** Without news for so long nothing more is waited for. */
const SILENCE_MS = 1_500
const PAGE = 1_000

export interface Heard {
  /** When each was seen, by its number; NaN where it never was. */
  readonly seenAt: Float64Array
  readonly cpuMicros: number
}

export type ReceiverQuestions = Awaited<ReturnType<typeof open>>['questions']

export async function open({ database, redis, name }: FanOutOptions) {
  const node = await createNode({ database, redis, name, log: SILENT })
  const client = new Redis(redis)
  let seenAt = new Float64Array(0)
  let seen = 0
  let last = 0
  let cpu = process.cpuUsage()
  const note = (n: number) => {
    last = sharedNow()
    seen++
    seenAt[n] = last
  }
  node.subscribe('stream.stats.updated', ({ data }) => note(Number(data.bytesSent)))
  client.on('message', (_channel, text: string) => note(JSON.parse(text).data.bytesSent))
  await client.subscribe(RAW_CHANNEL)

  return {
    questions: {
      ready: async (_: null) => (await node.health()).components.bus.status === 'ok',
      expect: (count: number) => {
        globalThis.gc?.()
        seenAt = new Float64Array(count).fill(Number.NaN)
        seen = 0
        last = sharedNow()
        cpu = process.cpuUsage()
        return true
      },
      /** Resolves when so many were seen, or nothing more comes. */
      heard: async (count: number): Promise<Heard> => {
        while (seen < count && sharedNow() - last < SILENCE_MS) await new Promise(resolve => setTimeout(resolve, 5))
        const { user, system } = process.cpuUsage(cpu)
        return { seenAt, cpuMicros: user + system }
      },
      /** Seconds in which a node that missed everything after a position has read it from the log. */
      catchUp: async (after: number): Promise<{ readonly events: number; readonly seconds: number }> => {
        const started = sharedNow()
        let events = 0
        for (let position = after; ; ) {
          const page = await node.log.readAll(position, PAGE)
          events += page.length
          position = page.at(-1)?.position ?? position
          if (page.length < PAGE) return { events, seconds: (sharedNow() - started) / 1_000 }
        }
      },
    },
    close: async () => {
      client.disconnect()
      await node.close()
    },
  }
}
