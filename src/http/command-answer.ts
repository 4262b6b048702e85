/** What a command is answered with, alone or in a batch. */
import { faultPoint } from '#fault-point'
import { formatActorRef } from '../core/ids.ts'
import type { CommandResult } from '../core/result.ts'
import { type Problem, refusalProblem } from './problem.ts'

interface AcceptedBody {
  readonly actor: string
  readonly id: number
  readonly version: number
  readonly position: number
  readonly state: string
  readonly at: string
  readonly repeated: boolean
  readonly absorbed?: string
}

interface TentativeBody {
  readonly actor: string
  readonly id: number
  readonly tentative: true
  readonly basis: number
  readonly state: string
  readonly at: string
  readonly repeated: boolean
}

export type CommandAnswer =
  | { readonly status: 200 | 201; readonly body: AcceptedBody }
  | { readonly status: 202; readonly body: TentativeBody }
  | { readonly status: number; readonly problem: Problem }

export function commandAnswer(status: 200 | 201, result: CommandResult): CommandAnswer {
  faultPoint('http.before-reply')
  if (!result.ok) {
    const problem = refusalProblem(result)
    return { status: problem.status, problem }
  }
  const { actor, repeated } = result
  if (result.tentative) {
    const { basis, event } = result
    const told = { actor: formatActorRef(actor), id: actor.id, tentative: true, basis, state: event.state } as const
    return { status: 202, body: { ...told, at: event.at, repeated } }
  }
  const { event, absorbed } = result
  const body = {
    actor: formatActorRef(actor),
    id: actor.id,
    version: event.version,
    position: event.position,
    state: event.state,
    at: event.at,
    repeated,
  }
  // The event is the record of the conflict; what is told of the actor is what that says.
  if (absorbed !== undefined)
    return {
      status,
      body: {
        ...body,
        version: Number(event.data.version),
        state: String(event.data.actorState),
        absorbed: formatActorRef(absorbed),
      },
    }
  return { status, body }
}
