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
}

export type CommandAnswer =
  | { readonly status: 200 | 201; readonly body: AcceptedBody }
  | { readonly status: number; readonly problem: Problem }

export function commandAnswer(status: 200 | 201, result: CommandResult): CommandAnswer {
  faultPoint('http.before-reply')
  if (!result.ok) {
    const problem = refusalProblem(result)
    return { status: problem.status, problem }
  }
  const { actor, event, repeated } = result
  const body = {
    actor: formatActorRef(actor),
    id: actor.id,
    version: event.version,
    position: event.position,
    state: event.state,
    at: event.at,
    repeated,
  }
  return { status, body }
}
