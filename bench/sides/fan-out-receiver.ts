/** Node B: notes when each update is told to its subscriber, and when plain Redis would have told it. */
import { Redis } from 'ioredis'
import { createNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { type FanOutOptions, sharedNow } from '../fan-out-process.ts'
import { SILENT } from '../silent.ts'
import { RAW_CHANNEL, SEEN_CHANNEL } from './fan-out-sender.ts'
import { GROUP } from './pace.ts'

/** Without news for so long nothing more is waited for. */
const SILENCE_MS = 1_500
const PAGE = 1_000
/** Actors that are asked for at a time. */
const AT_ONCE = 32

export interface Heard {
  /** When each was seen, by its number; NaN where it never was. Empty where only their number was asked for. */
  readonly seenAt: Float64Array
  readonly seen: number
  readonly lastAt: number
  readonly cpuMicros: number
}

export interface Expected {
  readonly first: number
  /** Undefined where the sender goes by the groups that were seen, and nothing but their number is kept. */
  readonly count?: number | undefined
}

export type ReceiverQuestions = Awaited<ReturnType<typeof open>>['questions']

export async function open({ database, redis, name }: FanOutOptions) {
  const node = await createNode({ database, redis, name, log: SILENT })
  const client = new Redis(redis)
  const telling = new Redis(redis)
  let first = 0
  let grouped = false
  let seenAt = new Float64Array(0)
  let seen = 0
  let last = 0
  let cpu = process.cpuUsage()
  const note = (value: number) => {
    const n = value - first
    // What the log is told of live figures now and then is none of the updates that are looked for.
    if (!(n >= 0) || !(grouped || n < seenAt.length)) return
    last = sharedNow()
    seen++
    if (!grouped) seenAt[n] = last
    else if (seen % GROUP === 0) void telling.publish(SEEN_CHANNEL, `${first} ${name}`)
  }
  node.subscribe('stream.stats.updated', ({ data }) => note(Number(data.bytesSent)))
  node.onLive('stream.*', ({ value }) => note(Number(value)))
  client.on('message', (_channel, text: string) => {
    const message = JSON.parse(text)
    note(Array.isArray(message) ? message[3][0][3] : message.data.bytesSent)
  })
  await client.subscribe(RAW_CHANNEL)

  return {
    questions: {
      ready: async (_: null) => (await node.health()).components.bus.status === 'ok',
      expect: (expected: Expected) => {
        globalThis.gc?.()
        first = expected.first
        grouped = expected.count === undefined
        seenAt = new Float64Array(expected.count ?? 0).fill(Number.NaN)
        seen = 0
        last = sharedNow()
        cpu = process.cpuUsage()
        return true
      },
      /** Resolves when so many were seen, or nothing more comes. */
      heard: async (count: number): Promise<Heard> => {
        while (seen < count && sharedNow() - last < SILENCE_MS) await new Promise(resolve => setTimeout(resolve, 5))
        const { user, system } = process.cpuUsage(cpu)
        return { seenAt, seen, lastAt: last, cpuMicros: user + system }
      },
      /** Seconds in which everything after a position is read from the log. */
      read: async (after: number): Promise<{ readonly events: number; readonly seconds: number }> => {
        const started = sharedNow()
        let events = 0
        for (let position = after; ; ) {
          const page = await node.log.readAll(position, PAGE)
          events += page.length
          position = page.at(-1)?.position ?? position
          if (page.length < PAGE) return { events, seconds: (sharedNow() - started) / 1_000 }
        }
      },
      /** When this node has all streams in memory as the log has them, and the read tables have them too. */
      caughtUp: async (versions: ReadonlyMap<number, number>): Promise<number> => {
        const ids = [...versions.keys()] as ActorId[]
        for (let n = 0; n < ids.length; n += AT_ONCE)
          await Promise.all(
            ids.slice(n, n + AT_ONCE).map(async id => {
              const { version } = await patiently(() => node.actor('stream', id).state())
              if (version < (versions.get(id) ?? Number.NaN)) throw new Error(`stream/${id} is behind`)
            }),
          )
        await node.projections.caughtUp()
        return sharedNow()
      },
    },
    close: async () => {
      client.disconnect()
      telling.disconnect()
      await node.close()
    },
  }
}

/** Until the log answers: on a machine with much else to do a connection can take longer than a node waits for one. */
async function patiently<Result>(read: () => Promise<Result>): Promise<Result> {
  for (;;)
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'log_unavailable')) throw error
    }
}
