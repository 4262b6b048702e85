/** The measured process of the memory benchmark: a node that is idle, then one with all actors hot. */
import { createActor } from 'xstate'
import { createNode } from '../src/app.ts'
import { session } from '../src/machines/session/index.ts'
import { stream } from '../src/machines/stream/index.ts'
import { memoryInUse } from './measured-process.ts'
import { type MemoryReport, SESSIONS, STREAMS } from './memory.ts'
import { liveStreams, sample } from './sides/ours.ts'
import { SILENT } from './silent.ts'

const [url = ''] = process.argv.slice(2)
const node = await createNode({ database: url, log: SILENT })
const idle = memoryInUse().rss

const streams = await liveStreams(node.actors, STREAMS)
const sessions: number[] = []
for (let n = 0; n < SESSIONS; n += 1_000)
  sessions.push(
    ...(await Promise.all(
      Array.from({ length: 1_000 }, async (_, index) => {
        const made = await node.create('session', {
          type: 'session.created',
          userId: 1,
          tokenHash: `hash-${n + index}`,
          expiresAt: '2099-01-01T00:00:00.000Z',
          ipAddress: '203.0.113.7',
          userAgent: 'Mozilla/5.0 (X11; Linux x86_64) bench',
        })
        if (!made.ok) throw new Error(`refused: ${made.reason}`)
        return made.actor.id
      }),
    )),
  )
for (const id of streams) await node.actor('stream', id).send({ type: 'stream.stats.updated', ...sample(id) })
await node.projections.caughtUp()
const hot = memoryInUse().rss
if (node.actors.stats().active < SESSIONS + STREAMS) throw new Error('not every actor is in memory')

// What the same number of actors takes as XState runs them: on the heap, for they may lie in pages that were freed before.
const heap = memoryInUse().heapUsed
const running = []
for (let n = 0; n < SESSIONS; n++) running.push(createActor(session.machine).start())
for (let n = 0; n < STREAMS; n++) running.push(createActor(stream.machine).start())
const xstateActors = memoryInUse().heapUsed - heap
for (const actor of running) actor.stop()

process.send?.({ idle, hot, xstateActors } satisfies MemoryReport)
await node.close()
process.disconnect()
