/** Opens the log of a node: the store, the key ring, the keys of personal data and the read tables, in this order. */
import { generateKeySync, type KeyObject } from 'node:crypto'
import path from 'node:path'
import type { KeySource } from './auth/key-source.ts'
import { formatKey, newKey } from './auth/key-text.ts'
import { type NamingKeyStore, type OpenedKeyRing, openKeyRing } from './auth/open-key-ring.ts'
import type { Clock, EventStore, Logger, SealedLog } from './core/ports.ts'
import type { Register } from './core/register.ts'
import type { Tracer } from './core/tracing.ts'
import { startPostgres } from './embedded/postgres.ts'
import { readFrameKey } from './eventstore/frame-key.ts'
import { createMemoryEventStore, createMemoryLog } from './eventstore/memory-event-store.ts'
import { createMemorySealedLog } from './eventstore/memory-sealed-log.ts'
import { migrate } from './eventstore/migrate.ts'
import { createPgNamingKey } from './eventstore/naming-key.ts'
import { createPgKeyTable } from './eventstore/personal-key-table.ts'
import { createPgEventStore, type PgEventStore } from './eventstore/pg-event-store.ts'
import { rewriteEvents } from './eventstore/rewrite-events.ts'
import { createPgSealedLog } from './eventstore/sealed-log.ts'
import type { EntityDefinition } from './machines/define.ts'
import type { NodeOptions } from './node-options.ts'
import { createMemoryKeyTable } from './privacy/memory-key-table.ts'
import { PersonalKeys } from './privacy/personal-keys.ts'
import {
  type ClearEvents,
  createPersonalStore,
  type PersonalFrames,
  type SealedLater,
} from './privacy/personal-store.ts'
import { createMemoryProjections } from './projections/memory-projections.ts'
import { createProjections, type Projections } from './projections/projections.ts'
import { createSealedSecrets, NO_SECRETS, type SealedSecrets } from './projections/sealed-secrets.ts'

const READ_PATIENCE_MS = 5_000

/** What has to be closed again, in reverse. */
export type Opened = { close(): Promise<void> }[]

export interface OpenLog {
  readonly store: EventStore & PersonalFrames & ClearEvents
  /** Writes events over that are in the log in the clear; undefined where nothing ever was. */
  readonly rewriteEvents: ((rewrites: readonly SealedLater[]) => Promise<void>) | undefined
  readonly personalKeys: PersonalKeys
  readonly openedKeys: OpenedKeyRing
  readonly sealedLog: SealedLog
  readonly incarnation: number
  readonly register: Register
  readonly projections: Projections
  /** Names the log, so that runtimes on different ones do not hear each other on a shared Redis. */
  readonly installation: string
  readonly namingKey: NamingKeyStore
  readonly sealedSecrets: SealedSecrets
  /** Asked for only where frames leave the process. */
  readonly frameKey: () => Promise<KeyObject>
}

type OpenOptions = NodeOptions &
  Required<Pick<NodeOptions, 'clock' | 'entities' | 'name' | 'log'>> & { readonly tracer: Tracer | undefined }

/** Throws AppError `setup_failed`, `log_unavailable`. */
export function openLog(options: OpenOptions, opened: Opened): Promise<OpenLog> {
  return options.memory === true ? openMemoryLog(options) : openPgLog(options, opened)
}

interface PersonalLogOptions {
  readonly keys: KeySource
  readonly entities: readonly EntityDefinition[]
  readonly clock: Clock
  readonly log: Logger
}

/** A log on Postgres whose personal data is open in front of it. Throws AppError `setup_failed` where the key ring is not its own. */
export async function openPersonalLog<Store extends PgEventStore>(
  inner: Store,
  { keys, entities, clock, log }: PersonalLogOptions,
) {
  const namingKey = createPgNamingKey(inner.pool)
  const openedKeys = await openKeyRing({ source: keys, store: namingKey, clock, log })
  const personalKeys = new PersonalKeys({ table: createPgKeyTable(inner.promptPool), clock, wrapping: openedKeys.ring })
  const store = createPersonalStore({ store: inner, keys: personalKeys, entities, log })
  return { store, namingKey, openedKeys, personalKeys }
}

async function openMemoryLog({ keys, clock, entities, name, log }: OpenOptions): Promise<OpenLog> {
  const memory = createMemoryLog()
  const inner = createMemoryEventStore({ node: name, clock, log: memory })
  const namingKey = { read: async () => undefined, claim: async (sealed: string) => sealed, replace: async () => {} }
  const source: KeySource = keys ?? { kind: 'text', text: formatKey(newKey(clock.now())) }
  const openedKeys = await openKeyRing({ source, store: namingKey, clock, log })
  const personalKeys = new PersonalKeys({ table: createMemoryKeyTable(), clock, wrapping: openedKeys.ring })
  const store = createPersonalStore({ store: inner, keys: personalKeys, entities, log })
  const { incarnation, register, installation } = store
  return {
    ...{ store, incarnation, register, installation, namingKey, openedKeys, personalKeys },
    rewriteEvents: undefined,
    sealedLog: createMemorySealedLog(memory),
    projections: createMemoryProjections({ store, entities }),
    sealedSecrets: NO_SECRETS,
    // A log in memory is no other node's, so nobody shares its key.
    frameKey: async () => generateKeySync('hmac', { length: 256 }),
  }
}

async function openPgLog(options: OpenOptions, opened: Opened): Promise<OpenLog> {
  const { clock, entities, name, log, tracer } = options
  const home = path.resolve(options.home ?? '.rootstream')
  let url = options.database
  if (url === undefined) {
    const postgres = await startPostgres({ dataDir: path.join(home, 'postgres'), log })
    opened.push({ close: () => postgres.stop() })
    url = postgres.url
  }
  const { applied } = await migrate({ url, log })
  if (applied.length > 0) log.info({ applied }, 'migrations applied')
  const inner = await createPgEventStore({
    url,
    node: name,
    clock,
    log,
    tracer,
    readPatienceMs: options.readPatienceMs ?? READ_PATIENCE_MS,
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  })
  opened.push({ close: () => inner.close() })
  // Where there is no other, the ring lies in the home.
  const keys = options.keys ?? { kind: 'own_file', file: path.join(home, 'keys') }
  const personal = await openPersonalLog(inner, { keys, entities, clock, log })
  const { store } = personal
  const { incarnation, installation, register, pool } = store
  return {
    ...{ ...personal, incarnation, installation, register },
    rewriteEvents: rewrites => rewriteEvents(pool, rewrites),
    sealedLog: createPgSealedLog(pool),
    projections: createProjections({ store, pool, entities, clock, log, tracer }),
    sealedSecrets: createSealedSecrets(pool),
    frameKey: () => readFrameKey(pool),
  }
}
