/** The row of `conflicts`. */
import type { JsonObject } from '../../core/json.ts'
import type { SIDES } from './events.ts'

export const columns = {
  id: 'bigint',
  actor_type: 'text',
  actor_id: 'bigint',
  event_type: 'text',
  basis: 'integer',
  version: 'integer',
  strategy: 'text',
  fields: 'jsonb',
  winner: 'text',
  loser: 'jsonb',
  also: 'jsonb',
  status: 'text',
  kept: 'text',
  node: 'text',
  created_at: 'timestamptz',
  settled_at: 'timestamptz',
  subject: 'bigint',
} as const

type Side = (typeof SIDES)[number]

export interface ConflictRow {
  readonly actor_type: string
  readonly actor_id: number
  readonly event_type: string
  readonly basis: number
  readonly version: number
  readonly strategy: string
  readonly fields: readonly string[]
  readonly winner: Side
  readonly loser: JsonObject
  /** Where each side lost something: the rest of it, with the sides the other way round. */
  readonly also: JsonObject | null
  readonly status: 'open' | 'settling' | 'settled'
  readonly kept: Side | null
  readonly node: string
  readonly created_at: string
  readonly settled_at: string | null
  /** The user whom the data is about. */
  readonly subject: number | null
}
