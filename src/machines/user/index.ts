/** Users: accounts, their names and roles. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { eraseOwned, releaseOwned } from './effects.ts'
import { events } from './events.ts'
import { machine, type UserContext } from './machine.ts'
import { merge } from './merge.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

export const user = defineEntity({
  type: 'user',
  machine,
  events,
  view: rowView('users', columns, ['absent', 'deleted', 'erasing', 'erased']),
  claims: ({ value, context }) => {
    const { row, exactUsername, exactEmail, skeletons } = context as unknown as UserContext
    if (row === null || value === 'deleted') return []
    const key = (name: string, exact: boolean) => (exact ? `=${name}` : normalName(name))
    return [
      { kind: 'user.username', key: key(row.username, exactUsername) },
      { kind: 'user.email', key: key(row.email, exactEmail) },
      ...skeletons.map(skeleton => ({ kind: 'user.skeleton', key: skeleton })),
    ]
  },
  effects: { releaseOwned, eraseOwned },
  goneIn: ['deleted', 'erasing', 'erased'],
  personal,
  stateVersion: 4,
  maxId: MAX_INT4,
  merge,
})

/** Names that people take for the same are the same: compatibility forms and letter case do not count. */
export function normalName(name: string): string {
  return name.normalize('NFKC').toLowerCase()
}
