/** What a deletion sets off: the cascade of 24.2, said by events. */
import { actorId } from '../../core/ids.ts'
import type { Effect } from '../define.ts'

/** Revokes the user's sessions, deletes the streams and closes the billing account. What is gone already refuses, which is fine. */
export const releaseOwned: Effect = async ({ actor, key, findInReadTable, send }) => {
  const owned = [
    { table: 'sessions', type: 'session', event: { type: 'session.revoked', reason: 'user deleted' } },
    { table: 'streams', type: 'stream', event: { type: 'stream.deleted' } },
    { table: 'billing_accounts', type: 'billing', event: { type: 'billing.closed' } },
  ]
  for (const { table, type, event } of owned)
    for (const id of await findInReadTable(table, 'user_id', actor.id))
      await send({ type, id: actorId(id) }, event, `${key}:${type}/${id}`)
  return undefined
}
