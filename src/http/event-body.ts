/** An event as it leaves the node. */
import type { LogEvent } from '../core/event.ts'
import { mask } from '../core/mask.ts'

export function eventBody({ data, actorType, actorId, ...event }: LogEvent): object {
  return { actor: `${actorType}/${actorId}`, ...event, data: mask(data) }
}
