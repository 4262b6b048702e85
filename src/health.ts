/** What is well in a node and what is not, asked of each part and never waited for long. */
import type { Accounts } from './accounts/accounts.ts'
import type { ActorSystem } from './actors/api.ts'
import type { Auditor } from './audit/auditor.ts'
import type { KeyKeeper } from './auth/key-keeper.ts'
import { AppError } from './core/errors.ts'
import type { Bus, Clock, EventStore } from './core/ports.ts'
import type { Projections } from './projections/projections.ts'
import type { LegacyBridge } from './sync/legacy-bridge.ts'

export interface ComponentHealth {
  readonly status: 'ok' | 'degraded' | 'down'
  readonly detail: Readonly<Record<string, unknown>>
}

export interface HealthReport {
  /** `down` where commands cannot be taken; `degraded` where they can, but something lags or is away. */
  readonly status: 'ok' | 'degraded' | 'down'
  readonly node: string
  readonly components: Readonly<
    Record<'log' | 'projections' | 'bus' | 'actors' | 'journal' | 'audit' | 'accounts' | 'keys', ComponentHealth>
  >
}

/** Projections this far behind the log are reported as lagging. */
const LAG_LIMIT = 10_000
/** Logins that wait behind so many password hashes are slow, and the next ones may be refused. */
const HASHES_LIMIT = 32
/** A part that has not answered by then counts as away: whoever asks after a node's health does not wait for what hangs. */
const HEALTH_PATIENCE_MS = 2_000

type Component = keyof HealthReport['components']

export async function health(parts: {
  name: string
  clock: Clock
  store: EventStore
  projections: Projections
  bus: Bus
  actors: ActorSystem
  audit: Auditor
  accounts: Accounts
  keys: KeyKeeper
  legacy: LegacyBridge | undefined
}): Promise<HealthReport> {
  const { name, clock, store, projections, bus, actors, audit, accounts, keys, legacy } = parts
  const checks: Readonly<Record<Component, () => Promise<ComponentHealth>>> = {
    log: async () => ({ status: 'ok', detail: { head: await store.head() } }),
    projections: async () => {
      const status = await projections.status()
      const well = status.failures === 0 && status.lag < LAG_LIMIT
      return { status: well ? 'ok' : 'degraded', detail: { ...status } }
    },
    bus: async () => {
      const warnings = bus.warnings()
      const well = bus.healthy && warnings.length === 0
      const detail = {
        ...bus.stats(),
        ...(warnings.length > 0 && { warnings }),
        ...(legacy !== undefined && { legacy: legacy.stats() }),
      }
      return { status: well ? 'ok' : 'degraded', detail }
    },
    actors: async () => {
      const tentative = actors.tentatives()
      return { status: 'ok', detail: { ...actors.stats(), ...(tentative !== undefined && { tentative }) } }
    },
    journal: async () => {
      const status = actors.outage()
      if (status === undefined) return { status: 'ok', detail: { enabled: false } }
      const well = status.pending === 0 && status.stuck === null && status.clock.refusing === null
      return { status: well ? 'ok' : 'degraded', detail: { enabled: true, ...status } }
    },
    audit: async () => {
      const status = await audit.status()
      return { status: status.failing === null ? 'ok' : 'degraded', detail: { ...status } }
    },
    keys: async () => {
      const { missing, ...detail } = keys.status()
      return missing.length === 0 ? { status: 'ok', detail } : { status: 'degraded', detail: { ...detail, missing } }
    },
    accounts: async () => {
      const { hashing = { running: 0, waiting: 0, refused: 0 } } = accounts.stats()
      return { status: hashing.waiting < HASHES_LIMIT ? 'ok' : 'degraded', detail: { hashing } }
    },
  }
  const answers = await Promise.all(
    Object.entries(checks).map(async ([component, check]) => [component, await answered(check, clock)] as const),
  )
  const components = Object.fromEntries(answers) as Record<Component, ComponentHealth>
  const worst = answers.some(([, { status }]) => status !== 'ok') ? 'degraded' : 'ok'
  return { status: components.log.status === 'down' ? 'down' : worst, node: name, components }
}

async function answered(check: () => Promise<ComponentHealth>, clock: Clock): Promise<ComponentHealth> {
  let cancel = () => {}
  const late = new Promise<ComponentHealth>(resolve => {
    cancel = clock.after(HEALTH_PATIENCE_MS, () => resolve({ status: 'down', detail: { error: 'no answer' } }))
  })
  try {
    return await Promise.race([check(), late])
  } catch (error) {
    return { status: 'down', detail: { error: error instanceof AppError ? error.code : 'failed' } }
  } finally {
    cancel()
  }
}
