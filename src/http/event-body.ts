/** An event as it leaves the node. */
import type { LogEvent } from '../core/event.ts'
import { mask } from '../core/mask.ts'

export function eventBody({ data, actorType, actorId, origin, ...event }: LogEvent): object {
  const body = { actor: `${actorType}/${actorId}`, ...event, data: mask(data) }
  return origin === undefined ? body : { ...body, origin: mask({ ...origin }) }
}
