/** What going live and stopping set off: the broadcast of that time, and the usage that is billed. */
import { type ActorRef, actorId, formatActorRef } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Effect, EffectContext } from '../define.ts'
import { secondsBetween } from '../fields.ts'

/** The broadcast of this time on air: the same one for whoever asks first, the start or the stop. */
function broadcastOf({ actor, create, input }: EffectContext): Promise<ActorRef> {
  const startedAt = String(input['startedAt'])
  // Timers of earlier releases have no name for it but its start.
  const airing = String(input['airing'] ?? startedAt)
  return create(
    'broadcast',
    { type: 'broadcast.started', streamId: actor.id, startedAt },
    `broadcast:${formatActorRef(actor)}:${airing}`,
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
  const { startedAt, userId, airing } = context.input
  const broadcast = await broadcastOf(context)
  await recordUsage(context, userId, { eventType: 'stream_start' })
  const opened = { type: 'stream.broadcast.opened', broadcastId: broadcast.id, startedAt: String(startedAt) }
  // As it was begun: what an earlier release may have sent already is the same command again.
  return airing === undefined ? opened : { ...opened, airing }
}

export const closeBroadcast: Effect = async context => {
  const { startedAt, endedAt, userId, imported, airing, totalViewers, peakViewers, bytesSent } = context.input
  const start = String(startedAt)
  const totals = {
    endedAt: String(endedAt),
    totalViewers: totalViewers ?? 0,
    peakViewers: peakViewers ?? 0,
    bytesSent: bytesSent ?? 0,
  }
  const end = (broadcast: ActorRef, which: JsonObject = {}) =>
    context.send(broadcast, { type: 'broadcast.ended', ...totals, ...which }, `${context.key}:end:${broadcast.id}`)
  // Timers of earlier releases send what they would have sent: it may have been taken already.
  const endOld = (broadcast: ActorRef) => end(broadcast, airing === undefined ? {} : { imported: true })
  if (imported !== true || !(await endImported(context, endOld))) await end(await broadcastOf(context))
  await recordUsage(context, userId, {
    eventType: 'stream_end',
    bytesTransferred: totals.bytesSent,
    durationSeconds: secondsBetween(start, totals.endedAt),
  })
  return undefined
}

/** Ends the broadcasts 24.2 had left open; false where it had none. That of the next time on air may be among those found. */
async function endImported(
  { actor, findInReadTable }: EffectContext,
  end: (broadcast: ActorRef) => Promise<{ readonly ok: boolean }>,
): Promise<boolean> {
  let ended = false
  for (const id of await findInReadTable('stream_sessions', 'stream_id', actor.id))
    if ((await end({ type: 'broadcast', id: actorId(id) })).ok) ended = true
  return ended
}
