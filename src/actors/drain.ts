/** Brings one event that was accepted beside the log into it: merged with what others wrote meanwhile, and once. */
import { faultPoint } from '#fault-point'
import { AppError, isErrorCode } from '../core/errors.ts'
import type { LogEvent, Origin } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import { canonicalJson } from '../core/state.ts'
import { type AdmittedEntry, commandIdOf, dotOf, type JournalEntry } from '../journal/journal-entry.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { type MergeConflict, mergeEvent, type OffsideEvent } from '../merge/merge-event.ts'
import { besideOf, type KnownEvent } from '../merge/rebase.ts'
import { afterCommit } from './after-commit.ts'
import { type Command, repeatedOutcome } from './command.ts'
import { recordConflict } from './conflict-log.ts'
import { catchUp, type Loaded, load } from './load.ts'
import { loggedEvent, pendingEvent } from './logged-event.ts'
import type { Outage } from './outage.ts'
import { appendOf, planBatch } from './plan.ts'
import type { ActorPorts } from './ports.ts'

/** Other writers may win this often before the entry is left for the next try. */
const MAX_CONFLICTS = 20

/**
 * Answers the state of the log with the event in it. Doing it again changes nothing.
 * @param own versions of the actor that hold entries before this one in the journal; the entry's own is added
 */
export async function drainEntry(
  ports: ActorPorts,
  outage: Outage,
  entity: EntityDefinition,
  ref: ActorRef,
  given: JournalEntry,
  known: Loaded | undefined,
  own: Set<number>,
): Promise<Loaded> {
  const { store } = ports
  let head = known
  for (let attempt = 0; attempt <= MAX_CONFLICTS; attempt++) {
    const entry = await outage.admit(given)
    const commandId = commandIdOf(entry)
    head = head === undefined ? await load(ports, entity, ref) : await catchUp(ports, entity, ref, head)
    const there = await store.findCommand(commandId)
    const { beside, sent } = await eventsSince(ports, entity, ref, entry, own)
    const lost = (strategy: string, on: Loaded, id = commandId) => {
      const merged = { strategy, fields: Object.keys(entry.data), winner: 'log', loser: entry.data } as const
      return recordConflict(ports, { entry, commandId: id, merged, head: on, entity })
    }
    // Nobody could know that while the log was away: the answer was tentative, and this is what became of it.
    if (there !== undefined && !isItsOwn(ref, entity, entry, there)) {
      await lost('command_id_reused', head, dotOf(entry))
      return head
    }
    const logged = there ?? sent
    if (logged !== undefined) {
      const here = logged.actorType === ref.type && logged.actorId === ref.id
      if (here) own.add(logged.version)
      const contest = logged.origin?.conflict as unknown as MergeConflict | undefined
      await recordContest(ports, entity, entry, logged.position, contest, head)
      return head
    }
    const merged = mergeEvent(entity, head.state, pendingEvent(entity, entry).event, beside)
    if (merged.outcome === 'absorbed') {
      await recordConflict(ports, { entry, commandId, merged: merged.conflict, head, entity })
      return head
    }
    const origin = originOf(entry, merged.data, merged.conflict)
    const command = commandOf(entity, entry, commandId, merged.data)
    const item = { command, resolve: () => {}, reject: () => {} }
    const plan = planBatch({ now: () => Date.parse(entry.at) }, entity, ref, [item], head)
    if (plan.failed !== undefined) throw plan.failed.error
    if (plan.taken.length === 0) {
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
        own.add(head.version)
        for (const { position } of answer.events)
          await recordContest(ports, entity, entry, position, merged.conflict, head)
        return head
      case 'claimed':
      case 'missing':
      case 'fenced':
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

/** What others wrote after the entry's basis, and the entry itself where it had been sent before it was accepted here. */
async function eventsSince(
  ports: ActorPorts,
  entity: EntityDefinition,
  ref: ActorRef,
  entry: AdmittedEntry,
  own: ReadonlySet<number>,
): Promise<{ readonly beside: readonly OffsideEvent[]; readonly sent: LogEvent | undefined }> {
  const others: KnownEvent[] = []
  let sent: LogEvent | undefined
  for await (const events of ports.store.readStream(ref, { from: entry.basis + 1 }))
    for (const event of events) {
      if (isSent(entry, event)) sent = event
      if (!own.has(event.version)) others.push(loggedEvent(entity, event))
    }
  return { beside: besideOf(pendingEvent(entity, entry), others), sent }
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
