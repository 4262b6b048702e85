/** Users as accounts see them: found by name or address, read with what decides on a login. */
import type { ActorHandle, ActorView, StateOptions } from '../actors/api.ts'
import { MAX_INT4 } from '../core/ids.ts'
import { normalName } from '../machines/user/index.ts'
import type { UserContext } from '../machines/user/machine.ts'
import type { AccountPorts } from './ports.ts'
import type { SessionLimit } from './settings.ts'

export interface Account {
  readonly id: number
  readonly active: boolean
  readonly state: string
  readonly version: number
  readonly context: UserContext
  readonly handle: ActorHandle
}

/** The last id there is, which a sequence reaches last. */
const NOBODY = MAX_INT4

/** By user name or, where it has an `@`, by address. */
export async function findAccount(ports: AccountPorts, login: string): Promise<Account | undefined> {
  const kind = login.includes('@') ? 'user.email' : 'user.username'
  // An account of 24.2 may hold its name as it was written, beside another that differs in letter case.
  const [exact, normal] = await Promise.all([
    ports.holderOf({ kind, key: `=${login}` }),
    ports.holderOf({ kind, key: normalName(login) }),
  ])
  const holder = exact ?? normal
  // The same questions are asked of the log where there is nobody.
  const account = await readAccount(ports, holder?.id ?? NOBODY)
  return holder === undefined ? undefined : account
}

export async function readAccount(ports: AccountPorts, id: number, options?: StateOptions): Promise<Account> {
  const handle = ports.actor('user', id)
  return asAccount(handle, await handle.state(options))
}

function asAccount(handle: ActorHandle, view: ActorView): Account {
  const context = view.context as unknown as UserContext
  const { state, version } = view
  return { id: handle.ref.id, active: state === 'active', state, version, context, handle }
}

/** The user's own, or the largest of the roles. */
export function sessionLimitOf({ settings }: AccountPorts, { context }: Account): SessionLimit {
  const limits = context.roles.map(role => settings.sessionLimits[role])
  const largest = limits.toSorted((a, b) => b.most - a.most)[0] ?? settings.sessionLimits.viewer
  return context.sessionLimit === null ? largest : { ...largest, most: context.sessionLimit }
}
