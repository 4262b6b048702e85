/** Loading an actor of many events into memory, beside Emmett's aggregateStream over the same events. */
import type { ActorSystem } from '../src/actors/api.ts'
import { createActorSystem } from '../src/actors/system.ts'
import type { ActorId } from '../src/core/ids.ts'
import { createPgEventStore, type PgEventStore } from '../src/eventstore/pg-event-store.ts'
import { query } from '../src/eventstore/pool.ts'
import { entities } from '../src/machines/index.ts'
import { systemClock } from '../src/system-clock.ts'
import type { Bench } from './bench.ts'
import { compare } from './measure.ts'
import { type EmmettEvent, openEmmett } from './peers/emmett.ts'
import { liveStreams, sample } from './sides/ours.ts'
import { SILENT } from './silent.ts'

const EVENTS = 10_000
const CHUNK = 500
/** The others: made, started, and its broadcast opened. */
const VIEWERS = EVENTS - 3

export const replay: Bench = async ({ server, quick, progress }) => {
  const store = await createPgEventStore({
    url: await server.database(),
    node: 'bench',
    clock: systemClock,
    log: SILENT,
  })
  const emmett = await openEmmett(await server.emptyDatabase())
  try {
    progress(`writing a stream of ${EVENTS} events, twice`)
    const [plain, snapshotted] = await writeOurs(store)
    await writeEmmetts(emmett)
    const loads = quick ? 3 : 10
    const load = (name: string, id: ActorId) => ({
      name,
      run: async () => {
        for (let n = 0; n < loads; n++) {
          const view = await coldSystem(store).actor({ type: 'stream', id }).state()
          if (view.version !== EVENTS || view.context['totalViewers'] !== VIEWERS)
            throw new Error('loaded another state')
        }
        return loads
      },
    })
    const { figures, ratio } = await compare(
      [
        load('ours', plain),
        load('ours, with a snapshot', snapshotted),
        {
          name: 'emmett aggregateStream',
          run: async () => {
            for (let n = 0; n < loads; n++) {
              const { state } = await emmett.aggregateStream('stream-1', { initialState, evolve })
              if (state.totalViewers !== VIEWERS) throw new Error('aggregated another state')
            }
            return loads
          },
        },
      ],
      { rounds: 5, postmaster: server.pid, progress },
    )
    return {
      ours: { cold: figures.get('ours'), coldWithSnapshot: figures.get('ours, with a snapshot') },
      peers: { emmettAggregateStream: figures.get('emmett aggregateStream') },
      ratio: {
        coldToEmmett: ratio('ours', 'emmett aggregateStream'),
        coldWithSnapshotToEmmett: ratio('ours, with a snapshot', 'emmett aggregateStream'),
      },
      unit: `loads of an actor of ${EVENTS} events`,
    }
  } finally {
    await Promise.all([store.close(), emmett.close()])
  }
}

/** Nothing of the actor is in memory yet. */
function coldSystem(store: PgEventStore): ActorSystem {
  return createActorSystem({ store, entities, clock: systemClock, log: SILENT, holder: 'bench' })
}

/** Two streams of the same events, one of which keeps its snapshots. */
async function writeOurs(store: PgEventStore): Promise<readonly [ActorId, ActorId]> {
  const actors = coldSystem(store)
  await actors.start()
  const [plain, snapshotted] = (await liveStreams(actors, 2)) as [ActorId, ActorId]
  for (const id of [plain, snapshotted]) {
    const stream = actors.actor({ type: 'stream', id })
    for (let { version } = await stream.state(); version < EVENTS; version += CHUNK)
      await Promise.all(
        Array.from({ length: Math.min(CHUNK, EVENTS - version) }, () => stream.send({ type: 'viewer.joined' })),
      )
  }
  // Its end waits for the snapshots that are being written.
  await actors.stop()
  await query(store.pool, { text: 'delete from actor_snapshots where actor_id = $1', values: [plain] })
  return [plain, snapshotted]
}

async function writeEmmetts(emmett: {
  appendToStream(stream: string, events: readonly EmmettEvent[]): Promise<unknown>
}) {
  const events: EmmettEvent[] = [
    { type: 'stream.created', data: { userId: 1, name: 'stream', streamKey: 'key' } },
    { type: 'stream.started', data: sample(1) },
    { type: 'stream.broadcast.opened', data: { broadcastId: 1 } },
    ...Array.from({ length: VIEWERS }, () => ({ type: 'viewer.joined', data: {} })),
  ]
  for (let n = 0; n < EVENTS; n += CHUNK) await emmett.appendToStream('stream-1', events.slice(n, n + CHUNK))
}

interface StreamState {
  readonly live: boolean
  readonly viewers: number
  readonly totalViewers: number
}

const initialState = (): StreamState => ({ live: false, viewers: 0, totalViewers: 0 })

function evolve(state: StreamState, event: EmmettEvent): StreamState {
  switch (event.type) {
    case 'stream.started':
      return { ...state, live: true }
    case 'viewer.joined':
      return { ...state, viewers: state.viewers + 1, totalViewers: state.totalViewers + 1 }
    default:
      return state
  }
}
