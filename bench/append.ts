/** Durable one-event commands through the whole actor path, beside Emmett's appends and the best raw batched insert. */
import type { ActorSystem } from '../src/actors/api.ts'
import { createActorSystem } from '../src/actors/system.ts'
import { createPgEventStore } from '../src/eventstore/pg-event-store.ts'
import { entities } from '../src/machines/index.ts'
import { systemClock } from '../src/system-clock.ts'
import type { Bench } from './bench.ts'
import { compare, median, percentile, rounded } from './measure.ts'
import { openEmmett } from './peers/emmett.ts'
import { openRawInsert, openSingleRow } from './peers/raw-insert.ts'
import { SILENT } from './silent.ts'

/** What is sent: figures a stream reports while it is live. */
export const sample = (n: number) => ({ bitrateKbps: 6_000 + (n % 100), fps: 60, bytesSent: n * 1_000 })

const FEW = 50
const MANY = 5_000
const RATE = 1_000

export const append: Bench = async ({ server, quick, progress }) => {
  const url = await server.database()
  const store = await createPgEventStore({ url, node: 'bench', clock: systemClock, log: SILENT })
  const actors = createActorSystem({ store, entities, clock: systemClock, log: SILENT, holder: 'bench' })
  await actors.start()
  const emmett = await openEmmett(await server.emptyDatabase())
  const raw = await openRawInsert(await server.database())
  try {
    const streams = await liveStreams(actors, MANY)
    const rounds = 5
    const ms = quick ? 800 : 4_000
    const ours = (inFlight: number) => ({
      name: `ours, ${inFlight} in flight`,
      run: () => keepBusy(streams.slice(0, inFlight), ms, (id, n) => sendSample(actors, id, n)),
    })
    const { figures, ratio } = await compare(
      [
        ours(FEW),
        {
          name: `emmett, ${FEW} streams`,
          run: () =>
            keepBusy(streams.slice(0, FEW), ms, (id, n) =>
              emmett.appendToStream(`stream-${id}`, [{ type: 'stream.stats.updated', data: sample(n) }]),
            ),
        },
        ours(MANY),
        ...raw.sides(ms),
      ],
      { rounds, postmaster: server.pid, progress },
    )
    const rawNames = raw.sides(0).map(({ name }) => name)
    const best = rawNames.toSorted((a, b) => (figures.get(b)?.perSecond ?? 0) - (figures.get(a)?.perSecond ?? 0))[0]
    const latency = await latencies(actors, streams, url, rounds, quick ? 1 : 5, progress)
    return {
      ours: {
        [`${FEW}InFlight`]: figures.get(`ours, ${FEW} in flight`),
        [`${MANY}InFlight`]: figures.get(`ours, ${MANY} in flight`),
        p99MsAt1000PerSecond: latency.ours,
      },
      peers: {
        emmett: figures.get(`emmett, ${FEW} streams`),
        ...Object.fromEntries(rawNames.map(name => [name, figures.get(name)])),
        singleRowCommitP99MsAt1000PerSecond: latency.raw,
      },
      ratio: {
        [`${FEW}InFlightToEmmett`]: ratio(`ours, ${FEW} in flight`, `emmett, ${FEW} streams`),
        [`${MANY}InFlightToBestRawInsert`]: ratio(`ours, ${MANY} in flight`, best ?? ''),
        p99ToSingleRowCommit: latency.ratio,
      },
      bestRawInsert: best,
    }
  } finally {
    await actors.stop()
    await Promise.all([store.close(), emmett.close(), raw.close()])
  }
}

/** Streams that are live, so that they take figures. */
export async function liveStreams(actors: ActorSystem, count: number): Promise<readonly number[]> {
  const user = await actors.create('user', {
    type: 'user.registered',
    username: 'bench',
    email: 'bench@example.org',
    passwordHash: 'x'.repeat(60),
  })
  const streams = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const made = await actors.create('stream', {
        type: 'stream.created',
        userId: user.actor.id,
        name: `stream ${n}`,
        streamKey: `key-${user.actor.id}-${n}`,
      })
      await actors.actor(made.actor).send({ type: 'stream.started', bitrateKbps: 6_000 })
      return made.actor.id
    }),
  )
  await actors.effectsIdle()
  return streams
}

async function sendSample(actors: ActorSystem, id: number, n: number): Promise<void> {
  const result = await actors
    .actor({ type: 'stream', id: id as never })
    .send({ type: 'stream.stats.updated', ...sample(n) })
  if (!result.ok) throw new Error(`refused: ${result.reason}`)
}

/** Each target has one operation under way until the time is over; answers how many were completed. */
async function keepBusy(
  targets: readonly number[],
  ms: number,
  operation: (target: number, n: number) => Promise<unknown>,
): Promise<number> {
  const until = performance.now() + ms
  let done = 0
  await Promise.all(
    targets.map(async target => {
      while (performance.now() < until) {
        await operation(target, done)
        done++
      }
    }),
  )
  return done
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

async function latencies(
  actors: ActorSystem,
  streams: readonly number[],
  url: string,
  rounds: number,
  seconds: number,
  progress: (text: string) => void,
) {
  const single = await openSingleRow(url)
  const p99 = { ours: [] as number[], raw: [] as number[] }
  try {
    for (let round = 0; round < rounds; round++) {
      progress(`latency at ${RATE}/s, round ${round + 1} of ${rounds}`)
      const ours = await atRate(RATE, seconds, n => sendSample(actors, streams[n % streams.length] as number, n))
      const raw = await atRate(RATE, seconds, () => single.insert())
      p99.ours.push(percentile(ours, 0.99))
      p99.raw.push(percentile(raw, 0.99))
    }
  } finally {
    await single.close()
  }
  return {
    ours: rounded(median(p99.ours)),
    raw: rounded(median(p99.raw)),
    ratio: rounded(median(p99.ours.map((value, index) => value / (p99.raw[index] ?? Number.NaN)))),
  }
}
