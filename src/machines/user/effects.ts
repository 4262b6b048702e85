/** What the end of a user sets off: the cascade of 24.2, said by events, and what an erasure adds to it. */
import { chunksOf } from '../../core/chunks.ts'
import { actorId } from '../../core/ids.ts'
import type { Effect, EffectContext, OutgoingEvent } from '../define.ts'

interface Owned {
  readonly table: string
  readonly type: string
  readonly event: OutgoingEvent
}

const OWNED: readonly Owned[] = [
  { table: 'sessions', type: 'session', event: { type: 'session.revoked', reason: 'user deleted' } },
  { table: 'user_mfa', type: 'factor', event: { type: 'factor.removed', reason: 'user deleted' } },
  { table: 'trusted_devices', type: 'trusted-device', event: { type: 'device.revoked', reason: 'user deleted' } },
  { table: 'streams', type: 'stream', event: { type: 'stream.deleted' } },
  { table: 'billing_accounts', type: 'billing', event: { type: 'billing.closed' } },
]

/** What keeps a row, and in it what is about the person. */
const KEPT: readonly (Owned & { readonly column: string })[] = [
  { table: 'sessions', type: 'session', column: 'user_id', event: { type: 'session.erased' } },
  { table: 'mfa_attempts', type: 'mfa-attempt', column: 'user_id', event: { type: 'mfa.attempt.erased' } },
  { table: 'conflicts', type: 'conflict', column: 'subject', event: { type: 'conflict.erased' } },
]

/** Commands under way at the same time: they share commits. */
const AT_ONCE = 64

/** Revokes the user's sessions, deletes the streams and closes the billing account. What is gone already refuses, which is fine. */
export const releaseOwned: Effect = async context => {
  for (const { table, type, event } of OWNED) await sendToAll(context, { table, column: 'user_id', type, event })
  return undefined
}

/**
 * After the cascade everything that keeps a row is told to forget the person. The key goes last: as long as an actor may
 * be told, the events that name it can be read.
 */
export const eraseOwned: Effect = async context => {
  await releaseOwned(context)
  for (const kept of KEPT) await sendToAll(context, kept)
  await context.destroyPersonalKey(context.actor.id)
  return { type: 'user.forgotten' }
}

async function sendToAll(
  { actor, key, findInReadTable, send }: EffectContext,
  { table, column, type, event }: Owned & { readonly column: string },
): Promise<void> {
  const ids = await findInReadTable(table, column, actor.id)
  for (const some of chunksOf(ids, AT_ONCE))
    await Promise.all(some.map(id => send({ type, id: actorId(id) }, event, `${key}:${type}/${id}:${event.type}`)))
}
