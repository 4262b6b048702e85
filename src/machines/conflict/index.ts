/** Conflicts: what merging could not keep of both sides, and what the log absorbed. */
import { defineEntity } from '../define.ts'
import { rowView } from '../read-row.ts'
import { applyLoser } from './effects.ts'
import { events } from './events.ts'
import { machine } from './machine.ts'
import { personal } from './personal.ts'
import { columns } from './row.ts'

export const conflict = defineEntity({
  type: 'conflict',
  machine,
  events,
  view: rowView('conflicts', columns),
  effects: { applyLoser },
  goneIn: [],
  personal,
  stateVersion: 2,
})
