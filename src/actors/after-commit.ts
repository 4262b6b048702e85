/** Everything that waits for the commit of an actor's events: answers, listeners, snapshots, effects. */
import { faultPoint } from '#fault-point'
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Append, TimerSet } from '../core/ports.ts'
import type { EffectStart } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import type { Waiting } from './mailbox.ts'
import type { Plan } from './plan.ts'
import type { ActorPorts } from './ports.ts'

export function afterCommit(
  ports: ActorPorts,
  entity: EntityDefinition,
  ref: ActorRef,
  plan: Plan<Waiting>,
  events: readonly LogEvent[],
  { timers = [], spans }: Append,
): void {
  if (spans !== undefined) for (const [index, event] of events.entries()) spans[index]?.committed(event)
  ports.committed(events, timers)
  faultPoint('actor.announced')
  plan.taken.forEach(({ item, decision }, index) => {
    const event = events[index]
    if (event === undefined) throw new Error('the store returned fewer events than it appended')
    for (const effect of decision.effects) startEffect(ports, ref, effect, event, timers)
    faultPoint('actor.before-answer')
    item.resolve({ ok: true, actor: ref, event, repeated: false })
  })
  const { version, state } = plan.end
  const every = entity.snapshotEvery
  if (Math.floor(version / every) > Math.floor((version - events.length) / every))
    ports.snapshot(ref, { version, stateVersion: entity.stateVersion, state })
}

function startEffect(
  ports: ActorPorts,
  actor: ActorRef,
  effect: EffectStart,
  event: LogEvent,
  timers: readonly TimerSet[],
): void {
  const timer = timers.find(
    ({ payload, kind }) => kind === 'effect' && payload.name === effect.name && payload.version === event.version,
  )
  // No timer: a later event of the same append left the state again.
  if (timer !== undefined) ports.startEffect({ actor, ...timer, attempts: 0 })
}
