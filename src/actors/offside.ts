/** What one actor has accepted while the log was away: decided on the local state, on disk before it is answered. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { CommandResult, Tentative } from '../core/result.ts'
import { sourceOf } from '../core/source.ts'
import { canonicalJson, formatStateValue } from '../core/state.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import { decide, stamp } from '../machines/decide.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { isMergeable, observe } from '../merge/merge-event.ts'
import type { Command } from './command.ts'
import { drainEntry } from './drain.ts'
import { DrainPast } from './drain-past.ts'
import type { Loaded } from './load.ts'
import type { Waiting } from './mailbox.ts'
import { inDoubt, type Outage } from './outage.ts'
import type { Overlay } from './overlay.ts'
import { sameClaims, stampAfter } from './plan.ts'
import type { ActorPorts } from './ports.ts'

interface Acceptance {
  readonly waiting: Waiting
  readonly entry: JournalEntry
}

interface Decided {
  readonly entry: JournalEntry
  readonly local: Loaded
}

export class Offside {
  readonly #entity: EntityDefinition
  readonly #ref: ActorRef
  readonly #ports: ActorPorts
  readonly #outage: Outage
  readonly #overlay: Overlay
  #entries: JournalEntry[] = []
  /** From the first entry that is brought to the log to the last: nearly all actors have none. */
  #past: DrainPast | undefined

  constructor(entity: EntityDefinition, ref: ActorRef, ports: ActorPorts, outage: Outage, overlay: Overlay) {
    this.#entity = entity
    this.#ref = ref
    this.#ports = ports
    this.#outage = outage
    this.#overlay = overlay
  }

  /** Entries that are not in the log yet. */
  get pending(): number {
    return this.#entries.length
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries
  }

  restore(entry: JournalEntry): void {
    this.#entries.push(entry)
  }

  /** Whether none of these has to wait for the log: each can be taken without it, or be given back. */
  canTake(batch: readonly Waiting[], loaded: Loaded | undefined): boolean {
    return loaded !== undefined && batch.every(({ command }) => command.logOnly === true || this.#mayTake(command))
  }

  /**
   * Takes and answers what can be taken of a batch; the others are returned.
   * @param loaded the last known state of the log
   * @param doubtful the version a command may have in the log already: it was sent there and not answered
   */
  async take(
    batch: readonly Waiting[],
    loaded: Loaded | undefined,
    doubtful: (waiting: Waiting) => number | null,
  ): Promise<readonly Waiting[]> {
    const left: Waiting[] = []
    const taken: Acceptance[] = []
    const shown = loaded && this.#on(loaded)
    let local = shown
    for (const waiting of batch) {
      if (this.#repeat(waiting)) continue
      let next: Decided | undefined
      try {
        next = local && this.#decide(waiting, local, doubtful(waiting))
      } catch (error) {
        waiting.reject(doubtful(waiting) === null ? error : inDoubt(error))
        continue
      }
      if (next === undefined) left.push(waiting)
      else {
        local = next.local
        taken.push({ waiting, entry: next.entry })
      }
    }
    if (taken.length === 0) return left
    const entries = taken.map(({ entry }) => entry)
    try {
      await this.#outage.write(entries)
      this.#ports.tentatives?.accepted(entries)
    } catch (error) {
      for (const { waiting, entry } of taken) waiting.reject(entry.doubtful === null ? error : inDoubt(error))
      return left
    }
    this.#entries.push(...entries)
    if (loaded !== undefined && local !== undefined && (shown?.pending?.others ?? 0) === 0)
      this.#overlay.grown(loaded, this.#entries, local)
    this.#outage.pend(this.#ref)
    for (const { waiting, entry } of taken) {
      faultPoint('actor.before-tentative-answer')
      waiting.resolve(tentative(this.#ref, entry, false))
    }
    return left
  }

  /**
   * Brings the entries to the log, in order. What was brought there stays so when this throws: AppError `log_unavailable`,
   * or what keeps an entry from being read.
   * @param moved told the newest state after each
   */
  async drain(loaded: Loaded | undefined, moved: (head: Loaded) => void): Promise<void> {
    let head = loaded
    this.#past ??= new DrainPast(this.#entity, this.#ref, this.#ports)
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      faultPoint('journal.draining')
      const drained = await drainEntry(this.#ports, this.#outage, this.#entity, this.#ref, entry, head, this.#past)
      faultPoint('journal.drained')
      head = drained
      this.#entries.shift()
      moved(head)
      this.#outage.settle(entry)
      this.#ports.tentatives?.settled(entry, head.version)
    }
    this.#past = undefined
    this.#outage.settled(this.#ref)
  }

  /** Undefined where an entry of an earlier start is of newer code: on top of that nothing can be decided. */
  #on(loaded: Loaded): Loaded | undefined {
    try {
      return this.#overlay.on(loaded, this.#entries)
    } catch (error) {
      const actor = formatActorRef(this.#ref)
      this.#ports.log.error({ actor, error: String(error) }, 'what was accepted without the log cannot be read')
      return undefined
    }
  }

  #mayTake(command: Command): boolean {
    return (
      isMergeable(this.#entity, command.type) &&
      command.expectedVersion === undefined &&
      command.references.length === 0 &&
      !command.creates &&
      !command.internal &&
      command.logOnly !== true &&
      !this.#entity.singleOwner
    )
  }

  /** A refusal is never told here: the state may not be the newest, so the command has to wait for the log. */
  #decide({ command }: Waiting, local: Loaded, doubtful: number | null): Decided | undefined {
    const { state } = local
    if (!this.#mayTake(command) || local.version === 0) return undefined
    if (!isMergeable(this.#entity, command.type, { state, data: command.data })) return undefined
    const at = stampAfter(this.#ports.clock.now(), local.at)
    const next = decide(this.#entity, state, stamp(command.type, at, command.data))?.state
    // Names are given out by the log alone.
    if (next === undefined || !sameClaims(this.#entity.claims(state), this.#entity.claims(next))) return undefined
    const dot = this.#outage.dot(local)
    const extra = this.#overlay.extra(this.#entries, sourceOf(dot)).map(([source, n]): [string, number] => [source, n])
    const entry: JournalEntry = {
      actorType: this.#ref.type,
      actorId: this.#ref.id,
      basis: local.version,
      ...(extra.length === 0 ? undefined : { extra }),
      doubtful,
      type: command.type,
      schemaVersion: command.schemaVersion,
      data: command.data,
      observed: observe(this.#entity, state, command.type) ?? null,
      state: formatStateValue(next.value),
      at,
      userId: command.userId ?? null,
      commandId: command.commandId ?? null,
      causation: command.causation ?? null,
      correlation: command.correlation ?? null,
      ...dot,
    }
    return { entry, local: { version: local.version, state: next, at, clock: entry.clock } }
  }

  /** Answers a command that was taken here before, under the same id. */
  #repeat(waiting: Waiting): boolean {
    const { command } = waiting
    const known = this.#entries.find(({ commandId }) => commandId !== null && commandId === command.commandId)
    if (known === undefined) return false
    const same = known.type === command.type && canonicalJson(known.data) === canonicalJson(command.data)
    if (same) waiting.resolve(tentative(this.#ref, known, true))
    else
      waiting.reject(
        new AppError(
          'command_id_reused',
          `The command id was spent on ${known.type} of ${formatActorRef(this.#ref)}. Nothing was changed. Give each command an id of its own.`,
        ),
      )
    return true
  }
}

function tentative(actor: ActorRef, entry: JournalEntry, repeated: boolean): Tentative & CommandResult {
  const { type, schemaVersion, data, state, at, userId, commandId, causation, correlation, basis } = entry
  return {
    ok: true,
    tentative: true,
    actor,
    event: { type, schemaVersion, data, state, at, userId, commandId, causation, correlation },
    basis,
    repeated,
  }
}
