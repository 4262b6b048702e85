/** Takes up the totals that the log has, where no node is left that knows who counted. */
import type { JsonObject } from '../core/json.ts'
import type { LiveStateOptions } from './api.ts'
import type { Members } from './members.ts'
import type { Replica, Subject } from './replica.ts'

/** The writer of what is known from the log alone; that of a node has its start behind the name. */
const LOG = 'log'

export interface KeptOptions extends Pick<LiveStateOptions, 'bus' | 'isAlone'> {
  readonly members: Members
  readonly replica: Replica
  readonly nextStamp: () => number
}

/** @returns to be called with the first answer of the log about an actor. Throws AppError `log_unavailable`. */
export function createKept({ bus, isAlone, members, replica, nextStamp }: KeptOptions) {
  return async (subject: Subject, period: string, context: JsonObject): Promise<void> => {
    // The slots of a node that lives are in those totals: beside them they would count twice.
    const isFirst = () => subject.documents.size === 0 && members.alive.size === 1 && bus.hearsAll
    const { kept } = subject.definition
    if (kept === undefined || isAlone === undefined || !isFirst() || !(await isAlone()) || !isFirst()) return
    const document = replica.document(subject, period)
    for (const [field, value] of Object.entries(kept(context)))
      if (Number(value) > 0) document?.apply(field, LOG, nextStamp(), value)
  }
}
