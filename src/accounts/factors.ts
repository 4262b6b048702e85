/** The factors of a user: at most one of each method. */
import type { ActorHandle, StateOptions } from '../actors/api.ts'
import { FACTOR_METHODS, type FactorMethod } from '../machines/factor/events.ts'
import type { FactorContext } from '../machines/factor/machine.ts'
import type { AccountPorts } from './ports.ts'

export interface Factor {
  readonly method: FactorMethod
  readonly handle: ActorHandle
  readonly version: number
  readonly context: FactorContext
  /** Confirmed, and asked for at a login. */
  readonly enabled: boolean
}

/** By the names they hold in the log, so one that was enrolled a moment ago elsewhere is among them. */
export async function factorsOf(ports: AccountPorts, userId: number): Promise<readonly Factor[]> {
  const found = await Promise.all(FACTOR_METHODS.map(method => factorOf(ports, userId, method)))
  return found.filter(factor => factor !== undefined)
}

export async function factorOf(
  ports: AccountPorts,
  userId: number,
  method: FactorMethod,
  options?: StateOptions,
): Promise<Factor | undefined> {
  const holder = await ports.holderOf({ kind: 'factor', key: `${userId}/${method}` })
  if (holder === undefined) return undefined
  const handle = ports.actor('factor', holder.id)
  const view = await handle.state(options)
  const context = view.context as unknown as FactorContext
  return { method, handle, version: view.version, context, enabled: context.row?.is_enabled === true }
}

/** What is asked for at a login. Backup codes alone are no factor: they stand in for one. */
export function demanded(factors: readonly Factor[]): readonly Factor[] {
  const enabled = factors.filter(factor => factor.enabled)
  return enabled.some(({ method }) => method !== 'backup_codes') ? enabled : []
}

/** The same of a user, as the log has it. */
export async function demandedOf(ports: AccountPorts, userId: number): Promise<readonly Factor[]> {
  return demanded(await factorsOf(ports, userId))
}

/** Text messages stand beside one of these alone (OWASP ASVS 5.0, 6.6.1). */
export function hasStronger(factors: readonly Factor[]): boolean {
  return factors.some(({ enabled, method }) => enabled && (method === 'totp' || method === 'passkey'))
}

/** What a factor's secret is sealed for: it opens nowhere else. */
export function secretContext(factorId: number): string {
  return `factor/${factorId}/secret`
}
