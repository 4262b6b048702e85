/** Durable one-event commands through the whole actor path, beside Emmett's appends and the best raw batched insert. */
import { createActorSystem } from '../src/actors/system.ts'
import type { ActorId } from '../src/core/ids.ts'
import { createPgEventStore } from '../src/eventstore/pg-event-store.ts'
import { entities } from '../src/machines/index.ts'
import { systemClock } from '../src/system-clock.ts'
import type { Bench } from './bench.ts'
import { compare, median, percentile, rounded } from './measure.ts'
import { openSingleRow } from './peers/raw-insert.ts'
import { liveStreams, sendSample } from './sides/ours.ts'
import { startSide } from './sides/side-process.ts'
import { SILENT } from './silent.ts'

const FEW = 50
const MANY = 5_000
const RATE = 1_000
const ROUNDS = 5

export const append: Bench = async ({ server, quick, progress }) => {
  const ms = quick ? 800 : 4_000
  progress(`making ${MANY} streams`)
  const ours = await startSide('ours.ts', { url: await server.database(), streams: MANY })
  const emmett = await startSide('emmett-append.ts', { url: await server.emptyDatabase() })
  const raw = await Promise.all(
    [1_000, 5_000].map(async rows => ({
      rows,
      process: await startSide('raw-insert.ts', { url: await server.database(), rows }),
    })),
  )
  const rawSides = raw.flatMap(({ rows, process }) =>
    [1, 2].map(connections =>
      process.side(`raw insert, ${rows} rows, ${connections} connection${connections > 1 ? 's' : ''}`, {
        inFlight: connections,
        ms,
      }),
    ),
  )
  const options = { rounds: ROUNDS, postmaster: server.pid, progress }
  const few = ours.side(`ours, ${FEW} in flight`, { inFlight: FEW, ms })
  const many = ours.side(`ours, ${MANY} in flight`, { inFlight: MANY, ms })
  const peer = emmett.side(`emmett, ${FEW} streams`, { inFlight: FEW, ms })
  // Apart, so that what a server has still to do for the millions of rows of the raw inserts is nobody else's burden.
  const atFew = await compare([few, peer], options)
  const atMany = await compare([many, ...rawSides], options)
  await Promise.all([ours, emmett, ...raw.map(({ process }) => process)].map(side => side.close()))

  const speed = ({ name }: { name: string }) => atMany.figures.get(name)?.perSecond ?? 0
  const best = rawSides.toSorted((a, b) => speed(b) - speed(a))[0]?.name ?? ''
  const latency = await latencies(await server.database(), quick ? 1 : 5, progress)
  return {
    ours: {
      [`${FEW}InFlight`]: atFew.figures.get(few.name),
      [`${MANY}InFlight`]: atMany.figures.get(many.name),
      p99MsAt1000PerSecond: latency.ours,
    },
    peers: {
      emmett: atFew.figures.get(peer.name),
      ...Object.fromEntries(rawSides.map(({ name }) => [name, atMany.figures.get(name)])),
      singleRowCommitP99MsAt1000PerSecond: latency.raw,
    },
    ratio: {
      [`${FEW}InFlightToEmmett`]: atFew.ratio(few.name, peer.name),
      [`${MANY}InFlightToBestRawInsert`]: atMany.ratio(many.name, best),
      p99ToSingleRowCommit: latency.ratio,
    },
    bestRawInsert: best,
  }
}

/** Sends at a fixed rate, whatever the answers take, and answers milliseconds from the planned time of each to its end. */
async function atRate(
  perSecond: number,
  seconds: number,
  operation: (n: number) => Promise<unknown>,
): Promise<number[]> {
  const taken: number[] = []
  const started = performance.now()
  const running: Promise<unknown>[] = []
  for (let n = 0; n < perSecond * seconds; ) {
    const now = performance.now()
    for (; n < perSecond * seconds && started + (n * 1_000) / perSecond <= now; n++) {
      const planned = started + (n * 1_000) / perSecond
      running.push(operation(n).then(() => taken.push(performance.now() - planned)))
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(running)
  return taken
}

async function latencies(url: string, seconds: number, progress: (text: string) => void) {
  const store = await createPgEventStore({ url, node: 'bench', clock: systemClock, log: SILENT })
  const actors = createActorSystem({ store, entities, clock: systemClock, log: SILENT, holder: 'bench' })
  await actors.start()
  const streams = await liveStreams(actors, RATE)
  const single = await openSingleRow(url)
  const p99 = { ours: [] as number[], raw: [] as number[] }
  for (let round = 1; round <= ROUNDS; round++) {
    progress(`latency at ${RATE}/s, round ${round} of ${ROUNDS}`)
    const ours = await atRate(RATE, seconds, n => sendSample(actors, streams[n % streams.length] as ActorId, n))
    const raw = await atRate(RATE, seconds, () => single.insert())
    p99.ours.push(percentile(ours, 0.99))
    p99.raw.push(percentile(raw, 0.99))
  }
  await Promise.all([single.close(), actors.stop().then(() => store.close())])
  return {
    ours: rounded(median(p99.ours)),
    raw: rounded(median(p99.raw)),
    ratio: rounded(median(p99.ours.map((value, index) => value / (p99.raw[index] ?? Number.NaN)))),
  }
}
