/** Commands to live streams through the whole actor path: parsed, decided, appended durably, answered. */
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import type { ActorId } from '../../src/core/ids.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { entities } from '../../src/machines/index.ts'
import { systemClock } from '../../src/system-clock.ts'
import { SILENT } from '../silent.ts'
import { keepBusy } from './keep-busy.ts'
import type { OpenedSide } from './side-process.ts'

/** What is sent: figures a stream reports while it is live. */
export const sample = (n: number) => ({ bitrateKbps: 6_000 + (n % 100), fps: 60, bytesSent: n * 1_000 })

export async function open({ url, streams: count }: { url: string; streams: number }): Promise<OpenedSide> {
  const store = await createPgEventStore({ url, node: 'bench', clock: systemClock, log: SILENT })
  const actors = createActorSystem({ store, entities, clock: systemClock, log: SILENT, holder: 'bench' })
  await actors.start()
  const streams = await liveStreams(actors, count)
  return {
    run: ({ inFlight, ms }) => keepBusy(streams.slice(0, inFlight), ms, (id, n) => sendSample(actors, id, n)),
    close: async () => {
      await actors.stop()
      await store.close()
    },
  }
}

/** Streams that are live, so that they take figures. */
export async function liveStreams(actors: ActorSystem, count: number): Promise<readonly ActorId[]> {
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

export async function sendSample(actors: ActorSystem, id: ActorId, n: number): Promise<void> {
  const result = await actors.actor({ type: 'stream', id }).send({ type: 'stream.stats.updated', ...sample(n) })
  if (!result.ok) throw new Error(`refused: ${result.reason}`)
}
