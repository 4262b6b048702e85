/** Node A: takes updates, durable and live, and publishes the same bytes by plain Redis for comparison. */
import { Redis } from 'ioredis'
import { createNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import type { LogEvent } from '../../src/core/event.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { type FanOutOptions, sharedNow } from '../fan-out-process.ts'
import { SILENT } from '../silent.ts'
import { liveStreams } from './ours.ts'
import { atRate, DISTINCT, type Flooded, flood, type Sent } from './pace.ts'

export const RAW_CHANNEL = 'raw'
/** On which a receiver says that it has seen a group of updates. */
export const SEEN_CHANNEL = 'seen'

const LIVE_FIELDS = ['bitrateKbps', 'fps'] as const
const STREAMS = DISTINCT / LIVE_FIELDS.length

/** Durable and live updates of ours; by plain Redis the bytes that one of either has on its way. */
export type Way = 'durable' | 'live' | 'durableBytes' | 'liveBytes'

export interface Load {
  readonly way: Way
  /** Number of the first update: no two runs have the same, for a figure that stays as it is is not sent. */
  readonly first: number
  readonly perSecond: number
  readonly count: number
}

export type SenderQuestions = Awaited<ReturnType<typeof open>>['questions']

export async function open({ database, redis, name }: FanOutOptions) {
  const node = await createNode({ database, redis, name, log: SILENT })
  const streams = await liveStreams(node.actors, STREAMS)
  const client = new Redis(redis, { enableAutoPipelining: true })
  const listening = new Redis(redis)
  /** Of the run whose first update this is: how many groups each receiver has seen. */
  const seen = { run: '', groups: new Map<string, number>() }
  listening.on('message', (_channel, text: string) => {
    const [run = '', receiver = ''] = text.split(' ')
    if (run === seen.run) seen.groups.set(receiver, (seen.groups.get(receiver) ?? 0) + 1)
  })
  await listening.subscribe(SEEN_CHANNEL)
  const sample = await node.actor('stream', streams[0] as ActorId).send({ type: 'stream.stats.updated', bytesSent: 1 })
  if (!sample.ok || sample.tentative) throw new Error('the sample was not written to the log')
  const sampleEvent: LogEvent = sample.event
  const handles = streams.map(id => node.live('stream', id))
  if (!(await Promise.all(handles.map(handle => handle.opened()))).every(Boolean)) throw new Error('not all are live')

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
  const fieldOf = (n: number) => LIVE_FIELDS[Math.floor(n / STREAMS) % LIVE_FIELDS.length] ?? LIVE_FIELDS[0]
  const set = (n: number): number => {
    handles[n % STREAMS]?.set(fieldOf(n), n)
    return sharedNow()
  }
  const publish = async (text: string): Promise<number> => {
    const handedOver = sharedNow()
    await client.publish(RAW_CHANNEL, text)
    return handedOver
  }
  const operations: Readonly<Record<Way, (n: number) => number | Promise<number>>> = {
    durable: update,
    live: set,
    durableBytes: n => publish(JSON.stringify({ ...sampleEvent, data: { bitrateKbps: 6_000, fps: 60, bytesSent: n } })),
    liveBytes: n =>
      publish(
        JSON.stringify(['stream', streams[n % STREAMS], sampleEvent.at, [[fieldOf(n), 0, Date.now() * 1_000, n]]]),
      ),
  }

  return {
    questions: {
      atRate: ({ way, first, ...load }: Load): Promise<Sent> => atRate(load, n => operations[way](first + n)),
      /** @param receivers how many say that they have seen a group */
      flood: ({ way, first, ms, receivers }: Pick<Load, 'way' | 'first'> & { ms: number; receivers: number }) => {
        seen.run = String(first)
        seen.groups.clear()
        const operation = (n: number) => operations[way](first + n)
        const seenByAll = () => (seen.groups.size < receivers ? 0 : Math.min(...seen.groups.values()))
        return flood(ms, operation, seenByAll) satisfies Promise<Flooded>
      },
      /** So many durable updates as fast as they are taken; answers the version that each stream then has. */
      write: async (count: number): Promise<ReadonlyMap<number, number>> => {
        let left = count
        const write = async (id: ActorId) => {
          while (left-- > 0) await node.actor('stream', id).send({ type: 'stream.stats.updated', bytesSent: left })
        }
        await Promise.all(streams.map(write))
        const views = await Promise.all(streams.map(id => node.actor('stream', id).state({ maxStaleMs: 60_000 })))
        return new Map(views.map(({ ref, version }) => [ref.id, version]))
      },
      head: (_: null) => node.log.head(),
      idle: async (_: null) => {
        await node.projections.caughtUp()
        return true
      },
    },
    close: async () => {
      client.disconnect()
      listening.disconnect()
      await node.close()
    },
  }
}
