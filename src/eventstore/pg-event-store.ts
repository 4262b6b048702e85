/** The event log in Postgres. */
import type { Clock, EventStore, Logger } from '../core/ports.ts'
import type { Register } from '../core/register.ts'
import type { Tracer } from '../core/tracing.ts'
import { GroupCommit } from './group-commit.ts'
import { IdBlocks } from './id-blocks.ts'
import { createPool, guardedPool, type Pool, probe, query } from './pool.ts'
import * as reads from './reads.ts'
import { readRecorded } from './recorded-events.ts'
import * as records from './records.ts'
import { createRegister } from './register.ts'
import { SilenceWatch } from './silence-watch.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

export interface PgEventStoreOptions {
  readonly url: string
  /** Name of the node, in every event it writes. */
  readonly node: string
  readonly clock: Clock
  readonly log: Logger
  /** Connections for everything but appends, which have one of their own; default 10. */
  readonly poolSize?: number
  /** How long an append is tried again while Postgres is away, default 10 s. */
  readonly patienceMs?: number
  /**
   * How long a read of the log, an id, a timer or a lease waits, over all; half of it without a word from Postgres makes
   * everything of these fail at once until there is one. Without it each has a minute, as a tool of the command line needs.
   */
  readonly readPatienceMs?: number
  /** Absent where tracing is off. */
  readonly tracer?: Tracer | undefined
}

export interface PgEventStore extends EventStore {
  /** Number of this start of this node, over all nodes of the log. */
  readonly incarnation: number
  /** Names the log, however it is reached. */
  readonly installation: string
  /** Of the starts of all nodes, speaking for this one. */
  readonly register: Register
  readonly pool: Pool
  /** The same connections for what is asked on behalf of a read or a command: bounded as reads of the log are. */
  readonly promptPool: Pool
}

/** Opens the log of a migrated database. Throws AppError `log_unavailable`, `schema_mismatch`, `setup_failed`. */
export async function createPgEventStore(options: PgEventStoreOptions): Promise<PgEventStore> {
  const { url, node, clock, log, poolSize, patienceMs, readPatienceMs, tracer } = options
  const pool = createPool({ url, log, ...(poolSize === undefined ? {} : { size: poolSize }) })
  // However busy the readers are, a command never waits for a connection.
  const writerPool = createPool({ url, log, size: 1 })
  const silence =
    readPatienceMs === undefined
      ? undefined
      : new SilenceWatch({ probe: withinMs => probe(url, withinMs), patienceMs: readPatienceMs, log })
  const prompt = silence === undefined ? pool : guardedPool(pool, silence, readPatienceMs as number)
  const end = () => Promise.all([pool.end(), writerPool.end(), silence?.close()])
  try {
    const [row] = await query<{ incarnation: number; id: string }>(pool, {
      text: `
        with started as (insert into incarnations (node, started_at) values ($1, now()) returning incarnation)
        select started.incarnation, installation.id from started, installation`,
      values: [node],
    })
    if (row === undefined) throw new Error('the installation has no id')
    const writer = new GroupCommit({
      pool: writerPool,
      writer: { node, incarnation: row.incarnation },
      clock,
      log,
      silence,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      ...(tracer === undefined ? {} : { tracer, database: new URL(url).pathname.slice(1) }),
    })
    const ids = new IdBlocks((type, size) => records.reserveBlock(prompt, type, size))
    const snapshots = new SnapshotWriter(pool)
    let closing: Promise<void> | undefined
    return {
      incarnation: row.incarnation,
      installation: row.id,
      register: createRegister(prompt, { node, incarnation: row.incarnation }),
      pool,
      promptPool: prompt,
      ...(silence === undefined ? {} : { silence }),
      append: append => writer.append(append),
      readStream: (actor, range) => reads.readStream(prompt, actor, range),
      readRecorded: (actor, range) => readRecorded(prompt, actor, range),
      readAll: (after, limit) => reads.readAll(prompt, after, limit),
      head: () => reads.head(prompt),
      eventAt: position => reads.eventAt(prompt, position),
      findCommand: commandId => reads.findCommand(prompt, commandId),
      holderOf: claim => reads.holderOf(prompt, claim),
      audit: auditQuery => reads.audit(pool, auditQuery),
      opened: async events => events,
      listActors: (type, after, limit) => reads.listActors(prompt, type, after, limit),
      loadSnapshot: actor => records.loadSnapshot(prompt, actor),
      saveSnapshot: (actor, snapshot) => snapshots.save(actor, snapshot),
      nextId: type => ids.next(type),
      reserveIds: async (type, highest) => {
        await records.reserveIds(pool, type, highest)
        ids.forget(type)
      },
      takeDueTimers: (now, limit, holdMs) => records.takeDueTimers(prompt, now, limit, holdMs),
      settleTimer: timer => records.settleTimer(prompt, timer),
      nextTimerAt: () => records.nextTimerAt(prompt),
      acquireLease: (name, holder, ttlMs) => records.acquireLease(prompt, name, holder, ttlMs),
      releaseLease: (name, holder) => records.releaseLease(prompt, name, holder),
      close: () => {
        closing ??= (async () => {
          await writer.close()
          await snapshots.idle()
          await end()
        })()
        return closing
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}
