/** Updates at a fixed rate, durable and live, each beside plain PUBLISH of the bytes that one of them has on its way. */
import { percentile, rounded } from '../measure.ts'
import type { Heard } from '../sides/fan-out-receiver.ts'
import type { Way } from '../sides/fan-out-sender.ts'
import type { Sent } from '../sides/pace.ts'
import type { Installation, Receiver } from './installation.ts'

const RATES = [1_000, 10_000, 25_000]
const RECEIVERS = [1, 2, 4]
const WARM_UP_PER_SECOND = 10_000
/** What is looked for: durable 10,000 a second. */
const BAR_MS = 100

export async function measureRates(installation: Installation, seconds: number, progress: (text: string) => void) {
  const figures: Record<Way, Record<string, Cell>> = { durable: {}, live: {}, durableBytes: {}, liveBytes: {} }
  const ratio: Record<string, number> = {}
  for (const wanted of RECEIVERS) {
    const receivers = await installation.receivers(wanted)
    // Not counted: nodes that have just started compile what they do often.
    for (const ours of ['durable', 'live'] as const) {
      progress(`warming up ${wanted} of the receivers: ${ours} updates`)
      await runAtRate(installation, receivers, ours, WARM_UP_PER_SECOND, seconds / 2)
      await installation.sender.ask('idle', null)
    }
    for (const perSecond of RATES) {
      const name = `${perSecond}PerSecondTo${wanted}`
      for (const [ours, plain] of [
        ['durable', 'durableBytes'],
        ['live', 'liveBytes'],
      ] as const) {
        progress(`${perSecond} ${ours} updates a second to ${wanted} of the receivers`)
        const mine = await runAtRate(installation, receivers, ours, perSecond, seconds)
        // Or the tables would be written while the other side is measured.
        await installation.sender.ask('idle', null)
        const theirs = await runAtRate(installation, receivers, plain, perSecond, seconds)
        figures[ours][name] = mine
        figures[plain][name] = theirs
        ratio[`${ours}${name}P99ToPublish`] = rounded(mine.fromAcceptedMs.p99 / theirs.fromAcceptedMs.p99)
        ratio[`${ours}${name}ReceiverCpuToPublish`] = rounded(
          (mine.cpuMicrosAnUpdate['eachReceiver'] ?? Number.NaN) /
            (theirs.cpuMicrosAnUpdate['eachReceiver'] ?? Number.NaN),
        )
      }
    }
  }
  const { durable, live, durableBytes, liveBytes } = figures
  const tenThousand = RECEIVERS.map(wanted => durable[`10000PerSecondTo${wanted}`]?.fromAcceptedMs.p99 ?? Number.NaN)
  return {
    ours: { durable, live },
    peers: { redisPublishOfDurableBytes: durableBytes, redisPublishOfLiveBytes: liveBytes },
    ratio,
    bars: { durable10000PerSecondP99Ms: { bar: BAR_MS, seen: Math.max(...tenThousand), to: RECEIVERS } },
  }
}

type Cell = Awaited<ReturnType<typeof runAtRate>>

async function runAtRate(
  { sender, take, cpu }: Installation,
  receivers: readonly Receiver[],
  way: Way,
  perSecond: number,
  seconds: number,
) {
  const count = Math.round(perSecond * seconds)
  const first = take(count)
  await Promise.all(receivers.map(receiver => receiver.ask('expect', { first, count })))
  const meter = await cpu()
  const sent = await sender.ask('atRate', { way, first, perSecond, count })
  const taken = sent.acceptedAt.reduce((sum, at) => sum + (Number.isNaN(at) ? 0 : 1), 0)
  const heard = await Promise.all(receivers.map(receiver => receiver.ask('heard', taken)))
  return { ...figuresOf(sent, taken, heard), cpuMicrosAnUpdate: await meter.perUpdate(taken, sent.cpuMicros, heard) }
}

/** Of all receivers together: each update to each receiver counts once. */
function figuresOf({ dueAt, acceptedAt, seconds }: Sent, taken: number, heard: readonly Heard[]) {
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
