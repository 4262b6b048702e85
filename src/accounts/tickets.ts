/** Tickets that are sent to an address and shown once: the log has their hashes alone. */
import type { ActorHandle } from '../actors/api.ts'
import { issueToken, parseToken, sameHash } from '../auth/token.ts'
import type { JsonObject } from '../core/json.ts'
import type { Purpose } from '../machines/ticket/events.ts'
import type { TicketContext } from '../machines/ticket/machine.ts'
import { normalName } from '../machines/user/index.ts'
import type { AccountPorts } from './ports.ts'
import type { Account } from './users.ts'

/** In the log before the caller has the token; undefined where the account is gone. */
export async function issueTicket(
  ports: AccountPorts,
  account: Account,
  purpose: Purpose,
  lifetimeMs: number,
): Promise<string | undefined> {
  const { id: userId, context } = account
  const bound = { userId, authEpoch: context.authEpoch, addressHash: addressHash(ports, account) }
  return issueBound(ports, purpose, lifetimeMs, bound)
}

/** @param bound what it is good for alone */
export async function issueBound(
  ports: AccountPorts,
  purpose: Purpose,
  lifetimeMs: number,
  bound: JsonObject,
): Promise<string | undefined> {
  const id = await ports.nextId('ticket')
  const { token, hash } = issueToken('ticket', id)
  const expiresAt = new Date(ports.clock.now() + lifetimeMs).toISOString()
  const issued = await ports
    .actor('ticket', id)
    .send({ type: 'ticket.issued', purpose, secretHash: hash, expiresAt, ...bound })
  return issued.ok ? token : undefined
}

export interface ShownTicket {
  readonly handle: ActorHandle
  readonly context: TicketContext
  readonly userId: number
}

/** The open ticket of a token; whether it is used first is decided when it is used. */
export async function shownTicket(
  { clock, actor }: AccountPorts,
  purpose: Purpose,
  token: string,
): Promise<ShownTicket | undefined> {
  const shown = parseToken('ticket', token)
  if (shown === undefined) return undefined
  const handle = actor('ticket', shown.id)
  const view = await handle.state()
  const context = view.context as unknown as TicketContext
  const { userId, expiresAt, secretHash } = context
  const right = view.state === 'open' && context.purpose === purpose && sameHash(secretHash, shown.hash)
  return right && userId !== null && Date.parse(expiresAt) > clock.now() ? { handle, context, userId } : undefined
}

/** Once over all nodes. */
export async function useTicket({ handle }: ShownTicket): Promise<boolean> {
  return (await handle.send({ type: 'ticket.used' })).ok
}

/** Whether the account still has the address that the ticket was sent to. */
export function isForAddress(ports: AccountPorts, { context }: ShownTicket, account: Account): boolean {
  return context.addressHash !== null && sameHash(context.addressHash, addressHash(ports, account))
}

function addressHash({ keys }: AccountPorts, { id, context }: Account): string {
  return keys.fingerprint(normalName(context.row?.email ?? ''), `user/${id}/email`)
}
