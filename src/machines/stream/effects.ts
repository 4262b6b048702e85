/** What going live and stopping set off: the broadcast of that time, and the usage that is billed. */
import { type ActorRef, actorId, formatActorRef } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Effect, EffectContext } from '../define.ts'
import { secondsBetween } from '../fields.ts'

/** The broadcast that began at this time: the same one for whoever asks first, the start or the stop. */
function broadcastOf({ actor, create }: EffectContext, startedAt: string): Promise<ActorRef> {
  return create(
    'broadcast',
    { type: 'broadcast.started', streamId: actor.id, startedAt },
    `broadcast:${formatActorRef(actor)}:${startedAt}`,
  )
}

/** A usage row; a user who is gone is billed no more. */
async function recordUsage(context: EffectContext, userId: unknown, usage: JsonObject): Promise<void> {
  const { actor, key, create, findInReadTable } = context
  if (typeof userId !== 'number') return
  try {
    await create('usage', { type: 'usage.recorded', userId, streamId: actor.id, ...usage }, `${key}:usage`)
  } catch (error) {
    // A failure for any other reason is tried again with the whole effect.
    if ((await findInReadTable('users', 'id', userId)).length > 0) throw error
  }
}

export const openBroadcast: Effect = async context => {
  const { startedAt, userId } = context.input
  const broadcast = await broadcastOf(context, String(startedAt))
  await recordUsage(context, userId, { eventType: 'stream_start' })
  return { type: 'stream.broadcast.opened', broadcastId: broadcast.id, startedAt: String(startedAt) }
}

export const closeBroadcast: Effect = async context => {
  const { startedAt, endedAt, userId, imported, totalViewers, peakViewers, bytesSent } = context.input
  const start = String(startedAt)
  const totals = {
    endedAt: String(endedAt),
    totalViewers: totalViewers ?? 0,
    peakViewers: peakViewers ?? 0,
    bytesSent: bytesSent ?? 0,
  }
  const end = (broadcast: ActorRef) =>
    context.send(broadcast, { type: 'broadcast.ended', ...totals }, `${context.key}:end:${broadcast.id}`)
  if (imported !== true || !(await endImported(context, end))) await end(await broadcastOf(context, start))
  await recordUsage(context, userId, {
    eventType: 'stream_end',
    bytesTransferred: totals.bytesSent,
    durationSeconds: secondsBetween(start, totals.endedAt),
  })
  return undefined
}

/** Ends the broadcasts 24.2 had left open; false where it had none. */
async function endImported(
  { actor, findInReadTable }: EffectContext,
  end: (broadcast: ActorRef) => Promise<{ readonly ok: boolean }>,
): Promise<boolean> {
  let ended = false
  for (const id of await findInReadTable('stream_sessions', 'stream_id', actor.id))
    if ((await end({ type: 'broadcast', id: actorId(id) })).ok) ended = true
  return ended
}
