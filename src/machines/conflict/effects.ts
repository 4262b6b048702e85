/** What a settlement sets off: the losing side's fields become an ordinary command, on top of all that is there by then. */
import { actorId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Effect } from '../define.ts'

/** A refusal is an outcome too: the actor may have ended since. */
export const applyLoser: Effect = async ({ input, key, send, sendLost }) => {
  const { ok } = await (input.strategy === 'orSet' ? sendLost : send)(
    { type: String(input.actorType), id: actorId(input.actorId) },
    { ...(input.data as JsonObject), type: String(input.type) },
    `${key}:apply`,
  )
  return { type: 'conflict.applied', taken: ok }
}
