/** Brings commands into the mailboxes of their actors. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import { type ActorId, type ActorRef, formatActorRef } from '../core/ids.ts'
import type { EventStore, Logger } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import type { CommandSpan, Tracer } from '../core/tracing.ts'
import type { EntityDefinition, OutgoingEvent } from '../machines/define.ts'
import type { Actor } from './actor.ts'
import type { ActorSystemOptions } from './api.ts'
import { type CommandOptions, parseCommand } from './command.ts'
import { traceCommand } from './traced-command.ts'

interface DispatchPorts {
  readonly store: Pick<EventStore, 'nextId'>
  readonly log: Logger
  readonly tracer: Tracer | undefined
  readonly before: ActorSystemOptions['before']
  readonly entities: ReadonlyMap<string, EntityDefinition>
  /** Throws AppError `unknown_type`. */
  entity(type: string): EntityDefinition
  find(entity: EntityDefinition, ref: ActorRef): Actor
}

export class Dispatch {
  readonly #ports: DispatchPorts
  #stopping = false

  constructor(ports: DispatchPorts) {
    this.#ports = ports
  }

  /** From now on only what the node sends itself is taken. */
  stop(): void {
    this.#stopping = true
  }

  /** @param ref undefined for a new actor, which is given an id */
  send(
    type: string,
    ref: ActorRef | undefined,
    event: OutgoingEvent,
    options: CommandOptions,
    internal: boolean,
  ): Promise<CommandResult> {
    if (this.#ports.tracer !== undefined) return this.#traced(this.#ports.tracer, type, ref, event, options, internal)
    return ref === undefined
      ? this.#deliverNew(type, event, options, internal, undefined)
      : this.#deliver(ref, event, options, internal, undefined)
  }

  /** Apart from `send`, which would otherwise allocate for the closure where tracing is off. */
  #traced(
    tracer: Tracer,
    type: string,
    ref: ActorRef | undefined,
    event: OutgoingEvent,
    options: CommandOptions,
    internal: boolean,
  ): Promise<CommandResult> {
    const traced = { entity: this.#ports.entities.get(type), id: ref?.id, event, options, internal }
    return traceCommand(tracer, traced, span =>
      ref === undefined
        ? this.#deliverNew(type, event, options, internal, span)
        : this.#deliver(ref, event, options, internal, span),
    )
  }

  #deliver(
    ref: ActorRef,
    event: OutgoingEvent,
    options: CommandOptions,
    internal: boolean,
    span: CommandSpan | undefined,
  ): Promise<CommandResult> {
    try {
      this.#refuseWhenStopping(internal)
      const entity = this.#ports.entity(ref.type)
      const command = parseCommand(entity, event, options, this.#goneIn, { internal, creates: false, span })
      if (this.#ports.before !== undefined && options.expectedVersion === undefined)
        this.#sendBefore(entity, ref, event.type)
      return this.#ports.find(entity, ref).send(command)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Into the same mailbox, so that nothing has to be waited for; whatever becomes of them, the command goes on. */
  #sendBefore(entity: EntityDefinition, ref: ActorRef, eventType: string): void {
    const failed = (error: unknown) =>
      this.#ports.log.debug({ actor: formatActorRef(ref), error: String(error) }, 'the last figures were not taken')
    try {
      for (const event of this.#ports.before?.(ref, eventType) ?? []) {
        const command = parseCommand(entity, event, {}, this.#goneIn, {
          internal: true,
          creates: false,
          span: undefined,
        })
        this.#ports.find(entity, ref).send(command).catch(failed)
      }
    } catch (error) {
      failed(error)
    }
  }

  async #deliverNew(
    type: string,
    event: OutgoingEvent,
    options: CommandOptions,
    internal: boolean,
    span: CommandSpan | undefined,
  ): Promise<CommandResult> {
    this.#refuseWhenStopping(internal)
    const entity = this.#ports.entity(type)
    const command = parseCommand(entity, event, options, this.#goneIn, { internal, creates: true, span })
    for (;;) {
      const ref = { type, id: (await this.#ports.store.nextId(type)) as ActorId }
      faultPoint('create.id-taken')
      const result = await this.#ports.find(entity, ref).send(command)
      // Someone chose this very id for an actor of theirs: take the next one.
      if (result.ok || result.version === 0) return result
    }
  }

  #refuseWhenStopping(internal: boolean): void {
    // Effects that still run may finish; the store is open until they have.
    if (this.#stopping && !internal)
      throw new AppError(
        'shutting_down',
        'The node is stopping. The command was not taken; send it to another node or again later.',
      )
  }

  readonly #goneIn = (type: string): readonly string[] => this.#ports.entity(type).goneIn
}
