/** Faults to be planted in the simulated log: each is a mistake that somebody made before. */
import type { EntityDefinition } from '../../src/machines/define.ts'
import { custom, isLater, type OffsideEvent } from '../../src/machines/merge-rules.ts'
import type { ActorName } from './log-world.ts'

export const LOG_FAULTS = [
  'status by last writer',
  'wall clock instead of hybrid clock',
  'one timestamp for partial updates',
  'no tie-break',
  'no new incarnation after disk loss',
  'hybrid clock restarts from the wall clock',
  'revocations merged as the last set written',
  'totals merged as the last one written',
  'the first end of a session holds',
] as const
export type LogFault = (typeof LOG_FAULTS)[number]

type Entities = Record<ActorName, EntityDefinition>

const wholeEventByClock = (among: (other: OffsideEvent) => boolean) =>
  custom(({ event, beside }) =>
    beside.some(other => among(other) && isLater(other, event))
      ? { outcome: 'absorbed' }
      : { outcome: 'applied', data: event.data },
  )

const REPLACED: Partial<Record<LogFault, { readonly actor: ActorName; readonly type: string }>> = {
  'status by last writer': { actor: 'session', type: 'session.revoked' },
  'one timestamp for partial updates': { actor: 'user', type: 'user.updated' },
  'revocations merged as the last set written': { actor: 'user', type: 'user.roles.changed' },
  'totals merged as the last one written': { actor: 'stream', type: 'stream.viewers.updated' },
  'the first end of a session holds': { actor: 'session', type: 'session.closed' },
}

const onlyWhereActive = custom(({ state, event }) =>
  state.value === 'active' ? { outcome: 'applied', data: event.data } : { outcome: 'absorbed' },
)

export function withFault(entities: Entities, fault: LogFault | undefined): Entities {
  const replaced = fault === undefined ? undefined : REPLACED[fault]
  if (replaced === undefined) return entities
  const entity = entities[replaced.actor]
  const sameType = (other: OffsideEvent) => fault === 'status by last writer' || other.type === replaced.type
  const rule = fault === 'the first end of a session holds' ? onlyWhereActive : wholeEventByClock(sameType)
  return { ...entities, [replaced.actor]: { ...entity, merge: { ...entity.merge, [replaced.type]: rule } } }
}
