/** The factors of a user: at most one of each method. */
import type { ActorHandle } from '../actors/api.ts'
import { FACTOR_METHODS, type FactorMethod } from '../machines/factor/events.ts'
import type { FactorContext } from '../machines/factor/machine.ts'
import type { AccountPorts } from './ports.ts'

export interface Factor {
  readonly method: FactorMethod
  readonly handle: ActorHandle
  readonly context: FactorContext
  /** Confirmed, and asked for at a login. */
  readonly enabled: boolean
}

/** By the names they hold in the log, so one that was enrolled a moment ago elsewhere is among them. */
export async function factorsOf(ports: AccountPorts, userId: number): Promise<readonly Factor[]> {
  const found = await Promise.all(FACTOR_METHODS.map(method => factorOf(ports, userId, method)))
  return found.filter(factor => factor !== undefined)
}

export async function factorOf(ports: AccountPorts, userId: number, method: FactorMethod): Promise<Factor | undefined> {
  const holder = await ports.holderOf({ kind: 'factor', key: `${userId}/${method}` })
  if (holder === undefined) return undefined
  const handle = ports.actor('factor', holder.id)
  const context = (await handle.state()).context as unknown as FactorContext
  return { method, handle, context, enabled: context.row?.is_enabled === true }
}
