/** Sessions: who is signed in, from where, until when. */
import { MAX_INT4 } from '../../core/ids.ts'
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { userNamedIn } from '../user-owned.ts'
import { events } from './events.ts'
import { live } from './live.ts'
import { machine, type SessionContext } from './machine.ts'
import { merge } from './merge.ts'
import { personal } from './personal.ts'
import { ADDED, columns } from './row.ts'

export const session = defineEntity({
  type: 'session',
  machine,
  events,
  view: rowView('sessions', columns, ['absent'], ADDED),
  // The rows of ended sessions stay, so their tokens stay taken.
  claims: ({ context }) => {
    const { row } = context as unknown as SessionContext
    return row === null ? [] : [{ kind: 'session.token', key: row.session_token }]
  },
  references: userNamedIn('session.created'),
  goneIn: ['closed', 'expired', 'revoked'],
  grantsIn: ['active'],
  personal,
  stateVersion: 2,
  maxId: MAX_INT4,
  live,
  merge,
})
