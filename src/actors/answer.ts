/** The answers of an actor to commands that led to nothing new: refused, taken before, or failed. */
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import { type ActorRef, formatActorRef } from '../core/ids.ts'
import { repeatedOutcome } from './command.ts'
import type { Waiting } from './mailbox.ts'
import type { Refused } from './plan.ts'
import type { ActorPorts } from './ports.ts'

/** One that carries a command id is looked up first, for the command may have been taken before. */
export async function answerRefused(
  { store }: Pick<ActorPorts, 'store'>,
  ref: ActorRef,
  refused: readonly Refused<Waiting>[],
): Promise<void> {
  for (const { item: waiting, refusal } of refused) {
    const id = waiting.command.commandId
    faultPoint('actor.before-refusal')
    try {
      const event = id === undefined ? undefined : await store.findCommand(id)
      if (event === undefined) waiting.resolve(refusal)
      else answerRepeated(ref, waiting, event)
    } catch (error) {
      waiting.reject(error)
    }
  }
}

export function answerRepeated(ref: ActorRef, waiting: Waiting, event: LogEvent): void {
  try {
    waiting.resolve(repeatedOutcome(ref, waiting.command, event))
  } catch (error) {
    waiting.reject(error)
  }
}

/** A throw of the machine is a bug: this command fails, the state is loaded anew, and repeated failures wait. */
export function answerFailed({ log }: Pick<ActorPorts, 'log'>, ref: ActorRef, waiting: Waiting, error: unknown): void {
  const actor = formatActorRef(ref)
  log.error(
    { actor, event: waiting.command.type, error: String(error) },
    'the machine threw: a bug in its guards or assigns',
  )
  waiting.reject(
    new AppError(
      'actor_failed',
      `${actor} failed on '${waiting.command.type}'. Nothing was changed; the actor starts again from the log.`,
      { cause: error },
    ),
  )
}
