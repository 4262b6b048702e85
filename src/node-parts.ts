/** Opens the parts of a node that depend on its options: the journal, the tracer, the bridge to readers of 24.2. */
import path from 'node:path'
import type { ActorSystem } from './actors/api.ts'
import { AppError } from './core/errors.ts'
import { actorRef } from './core/ids.ts'
import type { Logger } from './core/ports.ts'
import type { Tracer } from './core/tracing.ts'
import { type Journal, openJournal } from './journal/journal.ts'
import type { Opened, OpenLog } from './node-log.ts'
import type { NodeOptions } from './node-options.ts'
import type { Projections } from './projections/projections.ts'
import { createLegacyBridge, type LegacyBridge } from './sync/legacy-bridge.ts'
import { legacyAddress, openLegacyKeys } from './sync/legacy-keys.ts'

type BridgeOptions = Pick<NodeOptions, 'redis' | 'redisCa'> &
  Required<Pick<NodeOptions, 'name' | 'clock' | 'log'>> & {
    readonly actors: ActorSystem
    readonly projections: Projections
  } & Pick<OpenLog, 'store' | 'installation'>

export function createBridge(options: BridgeOptions): LegacyBridge {
  const { redis, redisCa, name, clock, log, installation, store, actors, projections } = options
  if (redis === undefined)
    throw new AppError(
      'invalid_input',
      'The keys of RootStream 24.2 are kept in Redis, and none is configured. Nothing was started. Set REDIS_URL, or leave ROOTSTREAM_LEGACY_REDIS out.',
    )
  legacyAddress(redis)
  const ca = redisCa === undefined ? {} : { ca: redisCa }
  return createLegacyBridge({
    store,
    clock,
    log,
    openKeys: onClosed => openLegacyKeys({ url: redis, ...ca, node: name, namespace: installation, clock, onClosed }),
    withLease: (lease, ttlMs, work) => actors.withLease(lease, ttlMs, work),
    liveIds: async position => {
      await projections.caughtUp(position)
      return projections.find('streams', 'is_live', true)
    },
    streamState: id => actors.actor(actorRef('stream', id)).state({ logged: true }),
  })
}

export async function openOwnJournal(
  { home, database, memory, journalBytes, log }: NodeOptions & { readonly log: Logger },
  opened: Opened,
): Promise<Journal | undefined> {
  if (memory === true || (database !== undefined && home === undefined)) return undefined
  const journal = await openJournal({
    dir: path.join(path.resolve(home ?? '.rootstream'), 'journal'),
    log,
    ...(journalBytes === undefined ? {} : { maxBytes: journalBytes }),
  })
  opened.push(journal)
  return journal
}

/** Its modules and packages are loaded only here, where tracing is on. Stops last, when the last span has ended. */
export async function openTracer(
  options: NodeOptions & Required<Pick<NodeOptions, 'clock' | 'name' | 'log'>>,
  opened: Opened,
): Promise<Tracer | undefined> {
  const { tracing, clock, name, log } = options
  let provider = options.tracerProvider
  if (provider === undefined && tracing !== undefined) {
    const { createOtlp } = await import('./tracing/otlp.ts')
    const otlp = createOtlp({ ...tracing, node: name, clock, log })
    opened.push({ close: () => otlp.stop() })
    provider = otlp.provider
  }
  if (provider === undefined) return undefined
  const { createOtelTracer } = await import('./tracing/otel-tracer.ts')
  return createOtelTracer({ provider, log, messaging: options.redis === undefined ? undefined : 'redis' })
}
