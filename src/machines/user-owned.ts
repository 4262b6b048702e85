/** What entities have in common whose actors belong to a user. */
import type { ActorState } from '../core/state.ts'
import type { EntityDefinition } from './define.ts'
import type { WithRow } from './read-row.ts'

/** `references` of an entity: the user whom its first event names as `userId`, where it names one. */
export function userNamedIn(firstEvent: string): EntityDefinition['references'] {
  return ({ type, userId }) =>
    type === firstEvent && userId !== undefined ? [{ type: 'user', id: Number(userId) }] : []
}

/** `subject` of an entity's personal data: the user whose id is in the row. */
export function userInRow(_id: number, { context }: ActorState): number | null {
  return (context as unknown as WithRow<{ readonly user_id: number }>).row?.user_id ?? null
}
