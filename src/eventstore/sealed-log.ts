/** The log in Postgres as the auditor reads it, and its seals. */
import { createHash } from 'node:crypto'
import type { SealedLog } from '../core/ports.ts'
import type { Seal, StoredEvent } from '../core/seal.ts'
import { type Pool, query, queryArrays } from './pool.ts'
import { COLUMNS, head } from './reads.ts'

/** Place of `at` in a stored event. */
const AT = 8

interface SealRow {
  number: number
  first_position: number
  last_position: number
  events: number
  events_hash: string
  marks: Buffer
  previous_hash: string
  sealed_at: string
  hash: string
}

export function createPgSealedLog(pool: Pool): SealedLog {
  return {
    stored: async (after, limit) => {
      const rows = await queryArrays<string[]>(pool, {
        name: 'stored_events',
        text: `select ${COLUMNS} from events where position > $1 order by position limit $2`,
        values: [after, limit],
        raw: true,
      })
      for (const row of rows) row[AT] = iso(row[AT] ?? '')
      // The columns are those of a stored event, in its order.
      return rows as readonly unknown[] as readonly StoredEvent[]
    },
    countAfter: async position => {
      const [row] = await query<{ count: number }>(pool, {
        name: 'count_after',
        text: 'select count(*) as count from events where position > $1',
        values: [position],
      })
      return row?.count ?? 0
    },
    head: () => head(pool),
    lastSeal: async () => {
      const [row] = await query<{ number: number; last: number; hash: string; sealed_at: string }>(pool, {
        name: 'last_seal',
        text: "select number, last_position as last, encode(hash, 'hex') as hash, sealed_at from audit_seals order by number desc limit 1",
      })
      return row && { number: row.number, last: row.last, hash: row.hash, sealedAt: row.sealed_at }
    },
    seals: async (after, limit) => {
      const rows = await query<SealRow>(pool, {
        name: 'seals',
        text: `
          select number, first_position, last_position, events, encode(events_hash, 'hex') as events_hash, marks,
            encode(previous_hash, 'hex') as previous_hash, sealed_at, encode(hash, 'hex') as hash
          from audit_seals where number > $1 order by number limit $2`,
        values: [after, limit],
      })
      return rows.map(toSeal)
    },
    addSeal: async seal => {
      const rows = await query(pool, {
        name: 'add_seal',
        text: `
          insert into audit_seals (number, first_position, last_position, events, events_hash, marks, previous_hash, sealed_at, hash)
          values ($1, $2, $3, $4, decode($5, 'hex'), $6, decode($7, 'hex'), $8, decode($9, 'hex'))
          on conflict (number) do nothing returning number`,
        values: [
          seal.number,
          seal.first,
          seal.last,
          seal.events,
          seal.eventsHash,
          seal.marks,
          seal.previous,
          seal.sealedAt,
          seal.hash,
        ],
      })
      return rows.length > 0
    },
  }
}

function toSeal(row: SealRow): Seal {
  return {
    number: row.number,
    first: row.first_position,
    last: row.last_position,
    events: row.events,
    eventsHash: row.events_hash,
    marksHash: createHash('sha256').update(row.marks).digest('hex'),
    previous: row.previous_hash,
    sealedAt: row.sealed_at,
    hash: row.hash,
    marks: row.marks,
  }
}

/** `2026-01-01 00:00:00.5+00` (the session is in UTC) as `2026-01-01T00:00:00.5Z`; what is no such time stays as it is. */
function iso(text: string): string {
  return text.endsWith('+00') ? `${text.slice(0, -3).replace(' ', 'T')}Z` : text
}
