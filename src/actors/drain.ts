/** Brings one event that was accepted beside the log into it: merged with what others wrote meanwhile, and once. */
import { faultPoint } from '#fault-point'
import { AppError, isErrorCode } from '../core/errors.ts'
import type { LogEvent, Origin } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import { canonicalJson } from '../core/state.ts'
import { type AdmittedEntry, commandIdOf, dotOf, type JournalEntry } from '../journal/journal-entry.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { type MergeConflict, mergeEvent } from '../merge/merge-event.ts'
import { afterCommit } from './after-commit.ts'
import { type Command, repeatedOutcome } from './command.ts'
import { recordConflict } from './conflict-log.ts'
import type { DrainPast } from './drain-past.ts'
import { catchUp, type Loaded, load } from './load.ts'
import { pendingEvent } from './logged-event.ts'
import type { Outage } from './outage.ts'
import { appendOf, planBatch } from './plan.ts'
import type { ActorPorts } from './ports.ts'

/** Other writers may win this often before the entry is left for the next try. */
const MAX_CONFLICTS = 20

/**
 * Answers the state of the log with the event in it. Doing it again changes nothing.
 * @param past what is known of the log from the entries before this one; what becomes of this one is added
 */
export async function drainEntry(
  ports: ActorPorts,
  outage: Outage,
  entity: EntityDefinition,
  ref: ActorRef,
  given: JournalEntry,
  known: Loaded | undefined,
  past: DrainPast,
): Promise<Loaded> {
  const { store } = ports
  let head = known
  for (let attempt = 0; attempt <= MAX_CONFLICTS; attempt++) {
    const entry = await outage.admit(given)
    const commandId = commandIdOf(entry)
    // Behind an entry that was appended just now nothing has to be asked: where that is wrong, the log refuses the append.
    const isSure = attempt > 0 || entry.doubtful !== null || head === undefined || !past.covers(entry, head.version)
    let there: LogEvent | undefined
    if (isSure) {
      head = head === undefined ? await load(ports, entity, ref) : await catchUp(ports, entity, ref, head)
      there = await store.findCommand(commandId)
      await past.read(entry)
    }
    if (head === undefined) throw new Error('an entry is merged into no state')
    const lost = (strategy: string, on: Loaded, id = commandId) => {
      const merged = { strategy, fields: Object.keys(entry.data), winner: 'log', loser: entry.data } as const
      return recordConflict(ports, { entry, commandId: id, merged, head: on, entity })
    }
    // Nobody could know that while the log was away: the answer was tentative, and this is what became of it.
    if (there !== undefined && !isItsOwn(ref, entity, entry, there)) {
      await lost('command_id_reused', head, dotOf(entry))
      return head
    }
    const logged = there ?? (isSure ? await sentBefore(ports, ref, entry) : undefined)
    if (logged !== undefined) {
      const here = logged.actorType === ref.type && logged.actorId === ref.id
      if (here) past.holds(logged.version)
      const contest = logged.origin?.conflict as unknown as MergeConflict | undefined
      await recordContest(ports, entity, entry, logged.position, contest, head)
      return head
    }
    const merged = mergeEvent(entity, head.state, pendingEvent(entity, entry).event, past.beside(entry))
    if (merged.outcome === 'absorbed') {
      if (!isSure) continue
      await recordConflict(ports, { entry, commandId, merged: merged.conflict, head, entity })
      return head
    }
    const origin = originOf(entry, merged.data, merged.conflict)
    const command = commandOf(entity, entry, commandId, merged.data)
    const item = { command, resolve: () => {}, reject: () => {} }
    const plan = planBatch({ now: () => Date.parse(entry.at) }, entity, ref, [item], head)
    if (plan.failed !== undefined) throw plan.failed.error
    if (plan.taken.length === 0) {
      if (!isSure) continue
      await lost('not_allowed', head)
      return head
    }
    const append = { ...appendOf(ref, plan, undefined, undefined), origin }
    const answer = await store.append(append)
    faultPoint('journal.appended')
    switch (answer.outcome) {
      case 'appended':
        afterCommit(ports, entity, ref, plan, answer.events, append)
        head = answer.rewritten === true ? await load(ports, entity, ref) : { ...plan.end, clock: entry.clock }
        for (const { version, position } of answer.events) {
          past.holds(version)
          await recordContest(ports, entity, entry, position, merged.conflict, head)
        }
        return head
      case 'claimed':
      case 'missing':
      case 'fenced':
        if (!isSure) break
        await lost(answer.outcome, head)
        return head
      case 'sealed':
        outage.wasSealed(given)
        break
      case 'conflict':
      case 'duplicate':
    }
  }
  throw new AppError(
    'conflict',
    `Other writers kept changing ${formatActorRef(ref)}. The accepted command stays in the journal and is tried again.`,
  )
}

/** The event is in the log, and something that it or the log said had to go. Several nodes may have had it in their journals. */
async function recordContest(
  ports: ActorPorts,
  entity: EntityDefinition,
  entry: AdmittedEntry,
  position: number,
  merged: MergeConflict | undefined,
  head: Loaded,
): Promise<void> {
  if (merged !== undefined)
    await recordConflict(ports, { entry, commandId: `conflict:${position}`, merged, head, entity })
}

/** Whether the event that its command id was spent on is what became of this entry, or of the same command sent elsewhere. */
function isItsOwn(ref: ActorRef, entity: EntityDefinition, entry: AdmittedEntry, event: LogEvent): boolean {
  const { schemaVersion, data } = entry
  try {
    repeatedOutcome(ref, { ...commandOf(entity, entry, commandIdOf(entry), data), schemaVersion }, event)
    return true
  } catch (error) {
    if (isErrorCode(error, 'command_id_reused')) return false
    throw error
  }
}

/** The entry itself, where it had been sent before it was accepted here and was carried out. */
async function sentBefore(ports: ActorPorts, ref: ActorRef, entry: AdmittedEntry): Promise<LogEvent | undefined> {
  const { doubtful } = entry
  if (doubtful === null) return undefined
  for await (const events of ports.store.readStream(ref, { from: doubtful, to: doubtful }))
    for (const event of events) if (isSent(entry, event)) return event
  return undefined
}

/** By its dot's start, its version and all that was decided: nothing else can stand there under these. */
function isSent(entry: AdmittedEntry, event: LogEvent): boolean {
  const { node, incarnation } = entry.salvaged ?? entry
  return (
    event.version === entry.doubtful &&
    event.origin === undefined &&
    event.node === node &&
    event.incarnation === incarnation &&
    event.type === entry.type &&
    event.commandId === entry.commandId &&
    canonicalJson(event.data) === canonicalJson(entry.data)
  )
}

function originOf(entry: AdmittedEntry, data: JsonObject, conflict: MergeConflict | undefined): Origin {
  const { basis, extra, clock, node, incarnation, n } = entry
  return {
    basis,
    clock,
    node,
    incarnation,
    n,
    ...(extra === undefined ? undefined : { extra }),
    ...(entry.observed === null ? undefined : { observed: entry.observed }),
    ...(canonicalJson(data) === canonicalJson(entry.data) ? undefined : { given: entry.data }),
    ...(conflict === undefined ? undefined : { conflict: conflict as MergeConflict & JsonObject }),
  }
}

function commandOf(entity: EntityDefinition, entry: AdmittedEntry, commandId: string, data: JsonObject): Command {
  return {
    type: entry.type,
    data,
    json: JSON.stringify(data),
    schemaVersion: entity.events[entry.type]?.version ?? entry.schemaVersion,
    references: [],
    creates: false,
    internal: false,
    span: undefined,
    commandId,
    ...(entry.userId === null ? undefined : { userId: entry.userId }),
    ...(entry.causation === null ? undefined : { causation: entry.causation }),
    ...(entry.correlation === null ? undefined : { correlation: entry.correlation }),
  }
}
