/** Runs effects after their event is durable, a bounded number at a time, until each has had its outcome logged. */
import { faultPoint } from '#fault-point'
import { type ActorRef, actorRef, formatActorRef } from '../core/ids.ts'
import type { JsonObject } from '../core/json.ts'
import type { Clock, DueTimer, EventStore, Logger } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import { waitAtMost } from '../core/waits.ts'
import type { EffectContext, EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import { settleSet } from '../merge/settle-set.ts'
import type { CommandOptions } from './command.ts'
import type { Loaded } from './load.ts'
import type { ReadTables } from './ports.ts'

/** How long a stopping node waits for effects. */
const STOP_PATIENCE_MS = 5_000

export interface EffectPorts {
  readonly store: EventStore
  readonly clock: Clock
  readonly log: Logger
  readonly readTables: ReadTables | undefined
  readonly destroyPersonalKey: ((user: number) => Promise<void>) | undefined
  entity(type: string): EntityDefinition
  send(actor: ActorRef, event: OutgoingEvent, options: CommandOptions): Promise<CommandResult>
  create(type: string, event: OutgoingEvent, options: CommandOptions): Promise<CommandResult>
  /** What the log says of an actor now. */
  state(actor: ActorRef): Promise<Loaded>
}

/** What `decide` wrote into the retry timer, and the version of the event that started the effect. */
interface Started {
  readonly name: string
  readonly src: string
  readonly input: JsonObject
  readonly version: number
}

export class EffectRunner {
  readonly #ports: EffectPorts
  readonly #limit: number
  readonly #waiting: DueTimer[] = []
  readonly #running = new Map<string, Promise<void>>()
  #stopped = false

  constructor(ports: EffectPorts, limit: number) {
    this.#ports = ports
    this.#limit = limit
  }

  get pending(): number {
    return this.#waiting.length + this.#running.size
  }

  /** Runs the effect of this timer. A failure leaves the timer, which brings it back when it is due. */
  start(timer: DueTimer): void {
    if (this.#stopped) return
    this.#waiting.push(timer)
    this.#next()
  }

  /** Lets what runs finish, within reason; what waits or hangs stays in the timers table and runs again. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.length = 0
    await waitAtMost(this.#ports.clock, STOP_PATIENCE_MS, Promise.all(this.#running.values()))
  }

  /** Resolves when nothing runs or waits here. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  #next(): void {
    while (this.#running.size < this.#limit) {
      const timer = this.#waiting.shift()
      if (timer === undefined) return
      const started = timer.payload as unknown as Started
      const key = `${formatActorRef(timer.actor)}:${started.name}:${started.version}`
      if (this.#running.has(key)) continue
      const run = this.#run(timer, started, key).finally(() => {
        this.#running.delete(key)
        this.#next()
      })
      this.#running.set(key, run)
    }
  }

  async #run(timer: DueTimer, started: Started, key: string): Promise<void> {
    const { store, log } = this.#ports
    try {
      const effect = this.#ports.entity(timer.actor.type).effects[started.src]
      if (effect === undefined) throw new Error(`no effect '${started.src}'`)
      const cause = await this.#cause(timer.actor, started.version)
      const outcome = await effect(this.#context(timer.actor, started, key, cause))
      faultPoint('effect.before-outcome')
      // Refused: the actor has left the state that waited for this. Either way the effect is over.
      if (outcome !== undefined)
        await this.#ports.send(timer.actor, outcome, { commandId: `effect:${key}`, causation: cause })
      faultPoint('effect.before-settling')
      await store.settleTimer(timer)
    } catch (error) {
      log.warn(
        { actor: formatActorRef(timer.actor), effect: started.name, attempts: timer.attempts, error: String(error) },
        'effect failed; it is run again when its timer is due',
      )
    }
  }

  async #cause(actor: ActorRef, version: number): Promise<number> {
    for await (const [event] of this.#ports.store.readStream(actor, { from: version, to: version }))
      if (event !== undefined) return event.position
    throw new Error(`the event that started the effect is not in the log: ${formatActorRef(actor)} version ${version}`)
  }

  #context(actor: ActorRef, started: Started, key: string, causation: number): EffectContext {
    const { readTables, destroyPersonalKey } = this.#ports
    return {
      actor,
      key,
      input: started.input,
      create: async (type, event, commandId) => {
        const result = await this.#ports.create(type, event, { commandId, causation })
        if (result.ok) return result.actor
        throw new Error(`${type} was not created: ${result.reason} ${result.detail ?? ''}`)
      },
      send: (to, event, commandId) => this.#ports.send(actorRef(to.type, to.id), event, { commandId, causation }),
      sendLost: (to, event, commandId) => this.#sendLost(actorRef(to.type, to.id), event, { commandId, causation }),
      destroyPersonalKey: user => {
        if (destroyPersonalKey === undefined) throw new Error('this runtime has no personal keys')
        return destroyPersonalKey(user)
      },
      findInReadTable: (table, column, value) => {
        if (readTables === undefined) throw new Error('this runtime has no read tables')
        return readTables.find(table, column, value, causation)
      },
    }
  }

  /** What is sent depends on the state, so a repeat may say something else: the command id alone tells whether it was taken. */
  async #sendLost(
    to: ActorRef,
    { type, ...lost }: OutgoingEvent,
    options: CommandOptions & { readonly commandId: string },
  ): Promise<{ readonly ok: boolean }> {
    for (;;) {
      const { state, version } = await this.#ports.state(to)
      if ((await this.#ports.store.findCommand(options.commandId)) !== undefined) return { ok: true }
      const data = settleSet(this.#ports.entity(to.type), state, type, lost)
      if (data === undefined) return { ok: true }
      const result = await this.#ports.send(to, { ...data, type }, { ...options, expectedVersion: version })
      if (result.ok || result.reason !== 'wrong_version') return result
    }
  }
}
