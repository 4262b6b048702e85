/** The life of a conflict: open until someone says which side is kept; what was absorbed whole leaves nothing to settle. */
import { assign, fromPromise, setup } from 'xstate'
import type { JsonObject } from '../../core/json.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { ConflictEvent } from './events.ts'
import type { ConflictRow } from './row.ts'

export interface ConflictContext extends WithRow<ConflictRow> {
  readonly row: ConflictRow | null
  /** Whether the actor took the loser's fields; null where they were not sent. */
  readonly taken: boolean | null
}

const base = setup({
  types: {} as { context: ConflictContext; events: ConflictEvent },
  actors: { applyLoser: fromPromise(async (_: { input: JsonObject }) => undefined) },
})

const open = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'conflict.opened' && event.type !== 'conflict.absorbed') return context
    const contested = event.type === 'conflict.opened'
    return {
      row: {
        actor_type: event.actorType,
        actor_id: event.actorId,
        event_type: event.eventType,
        basis: event.basis,
        version: event.version,
        strategy: contested ? event.strategy : 'absorbed',
        fields: contested ? event.fields : [],
        winner: contested ? event.winner : 'log',
        loser: contested ? (event.loser as JsonObject) : {},
        also: contested ? ((event.also ?? null) as JsonObject | null) : null,
        status: contested ? 'open' : 'settled',
        kept: contested ? null : 'log',
        node: event.node,
        created_at: event.at,
        settled_at: contested ? null : event.at,
        subject: event.subject ?? null,
      } satisfies ConflictRow,
    }
  }),
)

const keep = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'conflict.settled') return context
    const status = event.keep === context.row?.winner ? 'settled' : 'settling'
    return { row: changed(context.row, { status, kept: event.keep, settled_at: event.at }) }
  }),
)

const forget = base.createAction(
  assign(({ context, event }) => ({
    row: changed(context.row, {
      loser: {},
      also: null,
      status: 'settled',
      kept: context.row?.kept ?? context.row?.winner ?? 'log',
      settled_at: context.row?.settled_at ?? event.at,
    }),
  })),
)
const erased = { 'conflict.erased': { target: 'settled', actions: forget } } as const

export const machine = base.createMachine({
  id: 'conflict',
  context: { row: null, taken: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'conflict.opened': { target: 'open', actions: open },
        'conflict.absorbed': { target: 'settled', actions: open },
      },
    },
    open: {
      on: {
        'conflict.settled': [
          { guard: ({ context, event }) => event.keep === context.row?.winner, target: 'settled', actions: keep },
          { target: 'settling', actions: keep },
        ],
        ...erased,
      },
    },
    settling: {
      invoke: {
        id: 'applyLoser',
        src: 'applyLoser',
        input: ({ context }) => ({
          type: context.row?.event_type ?? '',
          actorType: context.row?.actor_type ?? '',
          actorId: context.row?.actor_id ?? 0,
          data: context.row?.loser ?? {},
          strategy: context.row?.strategy ?? '',
        }),
      },
      on: {
        'conflict.applied': {
          target: 'settled',
          actions: assign({
            row: ({ context, event }) => changed(context.row, { status: 'settled', settled_at: event.at }),
            taken: ({ event }) => event.taken,
          }),
        },
        ...erased,
      },
    },
    settled: { on: { 'conflict.erased': { actions: forget } } },
  },
})
