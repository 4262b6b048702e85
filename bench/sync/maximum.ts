/** As many live updates a second as one node tells one receiver, and four, beside plain PUBLISH of the same bytes. */
import { rounded } from '../measure.ts'
import type { Way } from '../sides/fan-out-sender.ts'
import type { Installation } from './installation.ts'

/** Receivers → updates a second that are looked for. */
const BARS: Readonly<Record<number, number>> = { 1: 100_000, 4: 50_000 }
const MOST = 1_000_000

export async function measureMaximum(installation: Installation, seconds: number, progress: (text: string) => void) {
  const ours: Record<string, Maximum> = {}
  const publish: Record<string, Maximum> = {}
  const ratio: Record<string, number> = {}
  const bars: Record<string, { bar: number; seen: number }> = {}
  for (const wanted of Object.keys(BARS).map(Number)) {
    progress(`as many live updates as go to ${wanted} of the receivers`)
    // Once before: what is compiled under way would count.
    await runFlood(installation, wanted, 'live', 1)
    const mine = await runFlood(installation, wanted, 'live', seconds)
    await runFlood(installation, wanted, 'liveBytes', 1)
    const plain = await runFlood(installation, wanted, 'liveBytes', seconds)
    ours[`to${wanted}`] = mine
    publish[`to${wanted}`] = plain
    ratio[`liveMaximumTo${wanted}ToPublish`] = rounded(mine.perSecond / plain.perSecond)
    bars[`liveMaximumTo${wanted}PerSecond`] = { bar: BARS[wanted] ?? Number.NaN, seen: mine.perSecond }
  }
  return { ours, peers: publish, ratio, bars }
}

type Maximum = Awaited<ReturnType<typeof runFlood>>

async function runFlood(
  { sender, take, cpu, receivers: some }: Installation,
  wanted: number,
  way: Way,
  seconds: number,
) {
  const receivers = await some(wanted)
  const first = take(MOST * seconds)
  await Promise.all(receivers.map(receiver => receiver.ask('expect', { first })))
  const meter = await cpu()
  const sent = await sender.ask('flood', { way, first, ms: seconds * 1_000, receivers: wanted })
  const heard = await Promise.all(receivers.map(receiver => receiver.ask('heard', sent.count)))
  const tookMs = Math.max(...heard.map(({ lastAt }) => lastAt)) - sent.startedAt
  const fewest = Math.min(...heard.map(({ seen }) => seen))
  return {
    /** As the slowest receiver saw them. */
    perSecond: rounded((fewest * 1_000) / tookMs),
    notHeard: sent.count - fewest,
    stalled: sent.stalled,
    cpuMicrosAnUpdate: await meter.perUpdate(sent.count, sent.cpuMicros, heard),
  }
}
