/** Starts of one node on a real log, each with a wall clock of its own, a journal in a folder that can be lost, and, on request, a mistake. */
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { Register } from '../../src/core/register.ts'
import type { CommandResult } from '../../src/core/result.ts'
import { createPgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { openJournal } from '../../src/journal/journal.ts'
import type { JournalEntry } from '../../src/journal/journal-entry.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { openLink } from './link.ts'

export type PlantedFault = 'the clock restarts from the wall clock' | 'dead starts are not sealed'

export interface Start {
  readonly actors: ActorSystem
  readonly incarnation: number
  readonly log: { history(): Promise<readonly LogEvent[]>; conflicts(): Promise<number> }
  cut(): void
  mend(): void
  /** Postgres is there again; resolves when nothing is pending here. */
  heal(): Promise<void>
  /** Ada's name, and more of her profile. */
  rename(displayName: string, more?: { avatarUrl?: string }): Promise<CommandResult>
  name(): Promise<unknown>
  /** In order: writes what it still can, and gives its lease back. */
  stop(): Promise<void>
  /** As a crash leaves it: Postgres is not told, the journal stays as it is. */
  crash(): Promise<void>
}

export interface LeaseStage {
  /** The journal that starts of the node use which are not given another folder. */
  readonly folder: string
  start(options?: { node?: string; folder?: string; skewMs?: number; leaseMs?: number }): Promise<Start>
  /** So much time passes for the log that all starts there were count as silent. */
  outlive(): Promise<void>
  /** What lies in the journal of a folder that no start uses. */
  entries(folder?: string): Promise<readonly JournalEntry[]>
}

/** Taken down when the test is over. */
export async function leaseStage(fault?: PlantedFault): Promise<LeaseStage> {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const root = await temporaryFolder('lease')
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  let ada: number | undefined

  const start: LeaseStage['start'] = async ({
    node = 'a',
    folder = path.join(root, node),
    skewMs = 0,
    leaseMs,
  } = {}) => {
    const link = await openLink(database.url)
    onTestFinished(() => link.close())
    const clock = { now: () => Date.now() + skewMs, after: systemClock.after }
    const log = silentLogger
    const store = await createPgEventStore({ url: link.url, node, clock, log, poolSize: 3, patienceMs: 100 })
    await mkdir(folder, { recursive: true })
    const journal = await openJournal({ dir: folder, log })
    const { incarnation } = store
    const register = planted(store.register, fault)
    const actors = createActorSystem({
      ...{ store, entities, clock, log, holder: `${node}#${incarnation}` },
      outage: { journal, node, incarnation, register, leaseMs },
    })
    await actors.start()
    ada ??= (
      await actors.create('user', {
        type: 'user.registered',
        username: 'ada',
        email: 'ada@example.org',
        passwordHash: 'hash',
      })
    ).actor.id
    const user = actors.actor(actorRef('user', ada))
    await user.state()
    let stopping: Promise<void> | undefined
    const stop = () =>
      (stopping ??= (async () => {
        await actors.stop()
        await journal.close()
        await store.close()
      })())
    onTestFinished(stop)
    return {
      actors,
      incarnation,
      log: {
        history: async () => (await Array.fromAsync(user.history())).flat(),
        conflicts: async () => (await store.listActors('conflict', 0, 100)).length,
      },
      cut: () => link.cut(),
      mend: () => link.mend(),
      heal: () => {
        link.mend()
        return eventually(async () => {
          const outage = actors.outage()
          if (outage === undefined || outage.away || outage.pending > 0)
            throw new Error(`not healed: ${JSON.stringify(outage)}`)
        })
      },
      rename: (displayName, more = {}) => user.send({ type: 'user.updated', displayName, ...more }),
      name: async () => ((await user.state()).context as { row: { display_name: unknown } }).row.display_name,
      stop,
      crash: async () => {
        link.cut()
        await eventually(async () => {
          // So that it knows: a start that knows the log to be away has nobody to give its lease back to.
          await user.send({ type: 'user.verified' }).catch(() => undefined)
          if (actors.outage()?.away !== true) throw new Error('the log is still there')
        })
        await stop()
      },
    }
  }
  return {
    folder: path.join(root, 'a'),
    start,
    outlive: async () => {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      try {
        await client.query("update incarnations set alive_until = alive_until - interval '1 day'")
      } finally {
        await client.end()
      }
    },
    entries: async (folder = path.join(root, 'a')) => {
      const journal = await openJournal({ dir: folder, log: silentLogger })
      await journal.close()
      return journal.found
    },
  }
}

/** The register, and a node that makes nothing of a part of what it says. */
function planted(register: Register, fault: PlantedFault | undefined): Register {
  switch (fault) {
    case undefined:
      return register
    case 'the clock restarts from the wall clock':
      return { ...register, enter: async (...given) => ({ ...(await register.enter(...given)), open: [] }) }
    case 'dead starts are not sealed':
      return { ...register, seal: async () => [] }
  }
}
