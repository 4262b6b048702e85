/** From a command taken on one node to its event at a subscriber on others, beside plain Redis PUBLISH of the same bytes. */
import { Redis } from 'ioredis'
import { startPrivateRedis } from '../tests/sync/private-redis.ts'
import type { Bench } from './bench.ts'
import { type FanOutProcess, startFanOut } from './fan-out-process.ts'
import { cpuSeconds, percentile, rounded } from './measure.ts'
import type { Heard, ReceiverQuestions } from './sides/fan-out-receiver.ts'
import type { SenderQuestions, Sent } from './sides/fan-out-sender.ts'

const RATES = [1_000, 10_000, 25_000]
const RECEIVERS = [1, 2, 4]
const MISSED = 100_000

type Receiver = FanOutProcess<ReceiverQuestions>

export const sync: Bench = async ({ server, quick, progress }) => {
  const redis = await startPrivateRedis()
  const seconds = quick ? 1.2 : 6
  const options = { database: await server.database(), redis: `redis://127.0.0.1:${redis.port}` }
  const admin = new Redis(options.redis)
  progress('making live streams')
  const sender = await startFanOut<SenderQuestions>('fan-out-sender.ts', { ...options, name: 'a' })
  const receivers: Receiver[] = []
  const ours: Record<string, unknown> = {}
  const raw: Record<string, unknown> = {}
  const ratio: Record<string, number> = {}

  const run = async (side: 'update' | 'publish', perSecond: number) => {
    const count = Math.round(perSecond * seconds)
    await Promise.all(receivers.map(receiver => receiver.ask('expect', count)))
    const before = { redis: await redisCpuSeconds(admin), postgres: cpuSeconds(server.pid) }
    const sent = await sender.ask(side, { perSecond, count })
    const taken = sent.acceptedAt.reduce((sum, at) => sum + (Number.isNaN(at) ? 0 : 1), 0)
    const heard = await Promise.all(receivers.map(receiver => receiver.ask('heard', taken)))
    const cpu = (total: number) => rounded((total * 1e6) / taken)
    return {
      ...figures(sent, taken, heard),
      cpuMicrosAnUpdate: {
        sender: cpu(sent.cpuMicros / 1e6),
        eachReceiver: cpu(heard.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0) / heard.length / 1e6),
        redis: cpu((await redisCpuSeconds(admin)) - before.redis),
        postgres: cpu(cpuSeconds(server.pid) - before.postgres),
      },
    }
  }

  for (const wanted of RECEIVERS) {
    while (receivers.length < wanted)
      receivers.push(await startFanOut('fan-out-receiver.ts', { ...options, name: `b${receivers.length}` }))
    for (const receiver of receivers) while (!(await receiver.ask('ready', null)));
    for (const perSecond of RATES) {
      const cell = `${perSecond}PerSecondTo${wanted}`
      progress(`${perSecond} updates a second to ${wanted} receivers`)
      const mine = await run('update', perSecond)
      // Or the tables would be written while the other side is measured.
      await sender.ask('idle', null)
      const plain = await run('publish', perSecond)
      ours[cell] = mine
      raw[cell] = plain
      ratio[`${cell}P99ToPublish`] = rounded(mine.fromAcceptedMs.p99 / plain.fromAcceptedMs.p99)
    }
  }

  progress('catching up')
  const head = await sender.ask('head', null)
  const caughtUp = await receivers[0]?.ask('catchUp', Math.max(0, head - MISSED))
  await Promise.all([sender, ...receivers].map(process => process.close()))
  admin.disconnect()
  await redis.stop()
  return { ours: { durable: ours, catchUp: caughtUp }, peers: { redisPublish: raw }, ratio, secondsEach: seconds }
}

/** Of all receivers together: each update to each receiver counts once. */
function figures({ dueAt, acceptedAt, seconds }: Sent, taken: number, heard: readonly Heard[]) {
  const fromAccepted: number[] = []
  const fromDue: number[] = []
  for (const { seenAt } of heard)
    seenAt.forEach((at, n) => {
      if (Number.isNaN(at)) return
      // An answer and a frame leave together; the frame may be there first.
      fromAccepted.push(Math.max(0, at - (acceptedAt[n] ?? Number.NaN)))
      fromDue.push(at - (dueAt[n] ?? Number.NaN))
    })
  return {
    takenPerSecond: rounded(taken / seconds),
    fromAcceptedMs: percentiles(fromAccepted),
    fromDueMs: percentiles(fromDue),
    notTaken: dueAt.length - taken,
    notHeard: taken * heard.length - fromDue.length,
  }
}

function percentiles(values: readonly number[]) {
  return { p50: rounded(percentile(values, 0.5)), p99: rounded(percentile(values, 0.99)) }
}

async function redisCpuSeconds(admin: Redis): Promise<number> {
  const text = await admin.info('cpu')
  const of = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1])
  return of('used_cpu_sys') + of('used_cpu_user')
}
