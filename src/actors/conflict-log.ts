/** Writes into the log what became of an accepted event that it could not take whole, once. */
import { type ActorId, actorId } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import { formatStateValue } from '../core/state.ts'
import type { AdmittedEntry } from '../journal/journal-entry.ts'
import { conflict } from '../machines/conflict/index.ts'
import { initialState } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { erasedData, subjectOf } from '../machines/personal.ts'
import { ERASED } from '../machines/user/events.ts'
import type { MergeConflict } from '../merge/merge-event.ts'
import { afterCommit } from './after-commit.ts'
import type { Loaded } from './load.ts'
import { appendOf, planBatch } from './plan.ts'
import type { ActorPorts } from './ports.ts'

export interface ConflictRecord {
  readonly entry: AdmittedEntry
  /** Spent on the record. For an event of which nothing was written it is the event's own: a repeat finds the record. */
  readonly commandId: string
  /** Undefined where the log says all that the event said. */
  readonly merged: MergeConflict | undefined
  readonly head: Loaded
  /** Of the actor. */
  readonly entity: EntityDefinition
}

/** Not by way of the conflict's mailbox: this runs within the turn of another actor, and turns are few. */
export async function recordConflict(ports: ActorPorts, record: ConflictRecord): Promise<void> {
  const { store, clock } = ports
  const { entry, commandId, merged, head, entity } = record
  const { actorType, basis, node, incarnation, n } = entry
  const subject = subjectOf(entity, entry.actorId, head.state)
  const met = {
    actorType,
    actorId: entry.actorId,
    actorState: formatStateValue(head.state.value),
    eventType: entry.type,
    given: entry.data,
    basis,
    version: head.version,
    clock: entry.clock,
    node,
    incarnation,
    n,
    ...(subject === undefined ? undefined : { subject }),
  }
  const type = merged === undefined ? 'conflict.absorbed' : 'conflict.opened'
  const data: JsonObject = merged === undefined ? met : { ...met, ...(merged as MergeConflict & JsonObject) }
  // Decided by the log, so that nothing is written of a user after the erasure, and nothing before it is missed by it.
  const known = subject === undefined ? [] : [{ type: 'user', id: actorId(subject), goneIn: ERASED }]
  let written = data
  for (;;) {
    const command = {
      type,
      data: written,
      json: JSON.stringify(written),
      schemaVersion: conflict.events[type]?.version ?? 1,
      references: written === data ? known : [],
      creates: true,
      internal: true,
      span: undefined,
      commandId,
      ...(entry.userId === null ? undefined : { userId: entry.userId }),
      ...(entry.correlation === null ? undefined : { correlation: entry.correlation }),
    }
    const item = { command, resolve: () => {}, reject: () => {} }
    const ref = { type: conflict.type, id: actorId(await store.nextId(conflict.type)) as ActorId }
    const plan = planBatch(clock, conflict, ref, [item], { version: 0, state: initialState(conflict), at: null })
    if (plan.failed !== undefined) throw plan.failed.error
    const append = appendOf(ref, plan, undefined, undefined)
    const answer = await store.append(append)
    if (answer.outcome === 'appended') return afterCommit(ports, conflict, ref, plan, answer.events, append)
    if (answer.outcome === 'duplicate') return
    if (answer.outcome === 'missing' && written === data && subject !== undefined && conflict.personal !== undefined) {
      written = erasedData(conflict.personal, type, data, subject)
      continue
    }
    if (answer.outcome !== 'conflict')
      throw new Error(`the log answered '${answer.outcome}' to the record of a conflict`)
  }
}
