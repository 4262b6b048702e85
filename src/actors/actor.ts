/** One actor in memory: a mailbox, and the loop that decides, appends, and only then moves and answers. */
import { faultPoint } from '#fault-point'
import { AppError, isErrorCode } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import type { CommandResult } from '../core/result.ts'
import type { JournalEntry } from '../journal/journal-entry.ts'
import type { EntityDefinition } from '../machines/define.ts'
import { afterCommit } from './after-commit.ts'
import { answerFailed, answerRefused, answerRepeated } from './answer.ts'
import type { Command } from './command.ts'
import { Freshness } from './freshness.ts'
import { beginning, type Loaded, load, newest } from './load.ts'
import { isForNew, Mailbox, type Waiting } from './mailbox.ts'
import { Offside } from './offside.ts'
import { away } from './outage.ts'
import { Overlay } from './overlay.ts'
import { appendOf, type Plan, planBatch, refusal } from './plan.ts'
import type { ActorPorts } from './ports.ts'
import { type Copy, Reads } from './reads.ts'
import { Backoff } from './supervision.ts'

/** Other writers may win this often before the command is given back as a conflict. */
const MAX_CONFLICTS = 20
const NONE: readonly never[] = []

export class Actor {
  readonly ref: ActorRef
  /** Clock time of the last use, for passivation. */
  lastUsed: number
  readonly #entity: EntityDefinition
  readonly #ports: ActorPorts
  readonly #mailbox = new Mailbox()
  /** From its first failure on. */
  #backoff: Backoff | undefined
  readonly #copy: Copy = { loaded: undefined, freshness: new Freshness() }
  readonly #reads: Reads
  #running: Promise<void> | undefined
  #restart = false
  /** What was taken while the log was away; undefined where nothing is. */
  readonly #offside: Offside | undefined
  readonly #drains: { resolve(): void; reject(error: unknown): void }[] = []
  /** Sent to the log and not answered yet. */
  #sent: Plan<Waiting> | undefined

  constructor(entity: EntityDefinition, ref: ActorRef, ports: ActorPorts) {
    this.ref = ref
    this.#entity = entity
    this.#ports = ports
    const overlay = new Overlay(entity, ref, ports)
    this.#offside = ports.outage && new Offside(entity, ref, ports, ports.outage, overlay)
    this.#reads = new Reads(entity, ref, ports, overlay, this.#copy, this)
    this.lastUsed = ports.clock.now()
  }

  get queued(): number {
    return this.#mailbox.length
  }

  /** Accepted commands that are not in the log yet: the actor stays in memory. */
  get pending(): number {
    return this.#offside?.pending ?? 0
  }

  get idle(): boolean {
    return this.#running === undefined
  }

  /** Accepted commands that are not in the log yet. */
  get entries(): readonly JournalEntry[] {
    return this.#offside?.entries ?? NONE
  }

  /** Resolves when everything in the mailbox has been answered. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Resolves when the event is durable, or with the refusal. Throws AppError. */
  send(command: Command): Promise<CommandResult> {
    this.lastUsed = this.#ports.clock.now()
    if (this.#mailbox.length >= this.#ports.limits.mailbox)
      return Promise.reject(
        new AppError(
          'overloaded',
          `${formatActorRef(this.ref)} has ${this.#mailbox.length} commands waiting. This one was not taken; send it again later.`,
        ),
      )
    const wait = this.#backoff?.remaining() ?? 0
    if (wait > 0)
      return Promise.reject(
        new AppError(
          'actor_restarting',
          `${formatActorRef(this.ref)} failed and starts again in ${wait} ms. The command was not taken.`,
          {
            details: { retryAfterMs: wait },
          },
        ),
      )
    return new Promise((resolve, reject) => {
      this.#mailbox.push({ command, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** An accepted command of an earlier start. */
  restore(entry: JournalEntry): void {
    this.#offside?.restore(entry)
  }

  /** Resolves when everything accepted is in the log. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** See `Reads`. */
  current(maxStaleMs = 0, logged = false): Promise<Loaded> {
    this.lastUsed = this.#ports.clock.now()
    return this.#reads.current(maxStaleMs, logged)
  }

  /** See `Reads`. */
  recall(maxStaleMs: number): Loaded | undefined {
    this.lastUsed = this.#ports.clock.now()
    return this.#reads.recall(maxStaleMs)
  }

  /** As the log had it at some time: undefined where memory holds nothing of it. */
  get remembered(): Loaded | undefined {
    return this.#copy.loaded
  }

  /** An event of another node. */
  hear(event: LogEvent): void {
    this.#reads.hear(event)
  }

  async #run(): Promise<void> {
    const turn = this.#ports.turns.take()
    if (turn !== undefined) await turn
    let conflicts = 0
    while (this.#mailbox.length > 0 || this.#drains.length > 0) {
      if (this.#drains.length > 0) {
        await this.#drain(this.#drains.splice(0))
        continue
      }
      const batch = this.#mailbox.batch()
      try {
        const settled = await this.#process(batch)
        conflicts = settled ? 0 : conflicts + 1
        if (conflicts > MAX_CONFLICTS)
          throw new AppError(
            'conflict',
            `Other writers changed ${formatActorRef(this.ref)} ${conflicts} times in a row. Nothing was changed by this command; send it again.`,
          )
      } catch (error) {
        const left = await this.#takeOffside(batch, error)
        for (const waiting of left) this.#mailbox.take(waiting)?.reject(error)
      }
      this.#sent = undefined
      if (this.#restart) this.#copy.loaded = undefined
      this.#restart = false
    }
    this.#ports.turns.done()
    // In the same turn as the look into the empty mailbox: a command that comes later starts a new run.
    this.#running = undefined
  }

  /** One round of load → decide → append → answer. False where another writer came first and the batch must be decided anew. */
  async #process(batch: readonly Waiting[]): Promise<boolean> {
    const { store, outage } = this.#ports
    if (outage?.away === true && (this.pending > 0 || this.#offside?.canTake(batch, this.#copy.loaded) === true))
      throw away()
    if (this.pending > 0) await this.#drainAll()
    const lease = this.#entity.singleOwner ? await this.#ports.ownership.own(this.ref) : undefined
    // What is said to be new is not looked for: where there is one after all, the log refuses the append.
    this.#copy.loaded ??= isForNew(batch) ? beginning(this.#entity) : await load(this.#ports, this.#entity, this.ref)
    faultPoint('actor.loaded')
    const plan = planBatch(this.#ports.clock, this.#entity, this.ref, batch, this.#copy.loaded)
    if (plan.failed !== undefined) this.#failed(plan.failed.item, plan.failed.error)
    const handled = plan.taken.length + plan.refused.length
    if (plan.taken.length === 0) {
      const now = await newest(this.#ports, this.#entity, this.ref, this.#copy.loaded)
      if (now !== this.#copy.loaded) {
        this.#copy.loaded = now
        return false
      }
      this.#mailbox.drop(handled)
      await answerRefused(this.#ports, this.ref, plan.refused)
      return true
    }

    const spans = this.#ports.traced ? plan.taken.map(({ item }) => item.command.span) : undefined
    const append = appendOf(this.ref, plan, lease, spans)
    faultPoint('actor.decided')
    const asked = this.#ports.clock.now()
    const { reading } = this.#ports.link
    this.#sent = plan
    // What can be taken without the log does not wait for one that is silent.
    const answer = await (this.#offside?.canTake(batch, this.#copy.loaded) === true && outage !== undefined
      ? outage.unlessSilent(store.append(append))
      : store.append(append))
    this.#sent = undefined
    switch (answer.outcome) {
      case 'appended': {
        faultPoint('actor.committed')
        this.#copy.loaded = answer.rewritten === true ? undefined : plan.end
        this.#copy.freshness.known(asked, reading)
        this.#backoff = undefined
        this.#mailbox.drop(handled)
        faultPoint('actor.state-moved')
        afterCommit(this.#ports, this.#entity, this.ref, plan, answer.events, append)
        if (plan.refused.length > 0) await answerRefused(this.#ports, this.ref, plan.refused)
        return true
      }
      case 'conflict':
        faultPoint('actor.conflict')
        this.#copy.loaded = await newest(this.#ports, this.#entity, this.ref, this.#copy.loaded)
        return false
      case 'duplicate': {
        faultPoint('actor.before-repeating')
        const event = await store.eventAt(answer.position)
        const waiting = batch.find(({ command }) => command.commandId === event?.commandId)
        if (event === undefined || waiting === undefined)
          throw new Error(`no command for the duplicate at position ${answer.position}`)
        this.#mailbox.take(waiting)
        answerRepeated(this.ref, waiting, event)
        this.#copy.loaded = await newest(this.#ports, this.#entity, this.ref, this.#copy.loaded)
        return true
      }
      case 'claimed':
      case 'missing': {
        // Commands that change claims or refer to others travel alone, so the refusal is the first one's.
        const [first] = plan.taken
        if (first === undefined) throw new Error('the log refused no command')
        this.#mailbox.take(first.item)
        const told =
          answer.outcome === 'claimed'
            ? refusal(this.#entity, this.ref, 'claimed', this.#copy.loaded, answer.kind)
            : refusal(this.#entity, this.ref, 'unknown_reference', this.#copy.loaded, answer.reference)
        await answerRefused(this.#ports, this.ref, [{ item: first.item, refusal: told }])
        return true
      }
      case 'sealed':
        throw new Error("the log answered 'sealed' to an event without an origin")
      case 'fenced':
        this.#ports.ownership.lost(this.ref)
        throw new AppError(
          'fenced',
          `Another node owns ${formatActorRef(this.ref)} now. Nothing was changed by this command; send it again to reach the owner.`,
        )
    }
  }

  async #drainAll(): Promise<void> {
    await this.#offside?.drain(this.#copy.loaded, head => {
      this.#copy.loaded = head
    })
  }

  async #drain(waiting: readonly { resolve(): void; reject(error: unknown): void }[]): Promise<void> {
    try {
      if (this.pending > 0) await this.#drainAll()
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  /** The batch could not be decided or appended. What can be taken without the log is; the rest is returned, to fail. */
  async #takeOffside(batch: readonly Waiting[], error: unknown): Promise<readonly Waiting[]> {
    if (this.#offside === undefined || !isErrorCode(error, 'log_unavailable')) {
      this.#copy.loaded = undefined
      return batch
    }
    this.#ports.outage?.fell()
    const sent = this.#sent
    const doubtful = (waiting: Waiting): number | null => {
      const index = sent?.taken.findIndex(({ item }) => item === waiting) ?? -1
      return sent === undefined || index < 0 ? null : sent.from.version + index + 1
    }
    // Those that were answered by the log before it failed are not in the mailbox any more.
    const open = batch.filter(waiting => this.#mailbox.holds(waiting))
    const left = await this.#offside.take(open, this.#copy.loaded, doubtful)
    for (const waiting of open) if (!left.includes(waiting)) this.#mailbox.take(waiting)
    return left
  }

  #failed(waiting: Waiting, error: unknown): void {
    this.#mailbox.take(waiting)
    this.#restart = true
    this.#backoff ??= new Backoff(this.#ports.clock)
    this.#backoff.failed()
    answerFailed(this.#ports, this.ref, waiting, error)
  }
}
