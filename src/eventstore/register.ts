/** The register of starts in Postgres. */
import { CEILING_STEP_MS, type ClockLease, type OpenStart, type Register, type StartRecord } from '../core/register.ts'
import { type Pool, query, withTransaction } from './pool.ts'

// The lock of append_batch.
const APPEND_LOCK = '7236112046017'
// The statement's: a ceiling and the `now` it is told with are of one moment.
const NOW = 'floor(extract(epoch from statement_timestamp()) * 1000)::bigint'
const UNTIL = (parameter: string) => `clock_timestamp() + ${parameter} * interval '1 millisecond'`
/** Seen by all that may hear stamps of the others: a ceiling is never lower than the highest there is. */
const HIGHEST = '(select max(h.clock_ceiling) from incarnations h)'
const RECORD = 'node, incarnation, clock_ceiling as ceiling, sealed_n as "sealedN"'

export function createRegister(pool: Pool, { node, incarnation }: { node: string; incarnation: number }): Register {
  const sealable = `
    node = $1 and incarnation < $2 and sealed_at is null
      and (journal is null or journal = $3 or alive_until < clock_timestamp())`
  return {
    enter: async (journal, { aheadMs, aliveMs }) => {
      const open = await query<OpenStart & Record<string, unknown>>(pool, {
        text: `
          select incarnation, journal, clock_ceiling as ceiling, coalesce(clock_last, 0) as last
          from incarnations
          where node = $1 and incarnation <> $2 and sealed_at is null and clock_ceiling is not null
          order by incarnation`,
        values: [node, incarnation],
      })
      const above = Math.max(0, ...open.map(({ ceiling }) => ceiling)) + CEILING_STEP_MS
      const [lease] = await query<ClockLease & Record<string, unknown>>(pool, {
        text: `
          update incarnations
          set journal = $2, clock_ceiling = greatest(clock_ceiling, ${NOW} + $3, $5, ${HIGHEST}), alive_until = ${UNTIL('$4')}
          where incarnation = $1
          returning clock_ceiling as ceiling, ${NOW} as now`,
        values: [incarnation, journal, aheadMs, aliveMs, above],
      })
      if (lease === undefined) throw new Error(`start ${incarnation} of this node is not on record`)
      return { ...lease, open }
    },
    renew: async (last, { aheadMs, aliveMs }) => {
      const [lease] = await query<ClockLease & Record<string, unknown>>(pool, {
        text: `
          update incarnations
          set clock_ceiling = greatest(clock_ceiling, ${NOW} + $2, ${HIGHEST}), clock_last = greatest(clock_last, $4),
            alive_until = ${UNTIL('$3')}
          where incarnation = $1 and sealed_at is null
          returning clock_ceiling as ceiling, ${NOW} as now`,
        values: [incarnation, aheadMs, aliveMs, last],
      })
      return lease
    },
    leave: async ceiling => {
      await query(pool, {
        text: `
          update incarnations set clock_ceiling = least(clock_ceiling, $2), alive_until = clock_timestamp()
          where incarnation = $1`,
        values: [incarnation, ceiling ?? null],
      })
    },
    seal: async journal => {
      const values = [node, incarnation, journal]
      const [any] = await query(pool, { text: `select 1 from incarnations where ${sealable} limit 1`, values })
      if (any === undefined) return []
      return withTransaction(pool, async client => {
        // Before the statement below, so that its snapshot has every append that was written before.
        await client.query('select pg_advisory_xact_lock($1)', [APPEND_LOCK])
        return query<StartRecord & Record<string, unknown>>(client, {
          text: `
            update incarnations set sealed_n = coalesce(logged_n, 0), sealed_at = clock_timestamp()
            where ${sealable}
            returning ${RECORD}`,
          values,
        })
      })
    },
    starts: incarnations =>
      query<StartRecord & Record<string, unknown>>(pool, {
        text: `select ${RECORD} from incarnations where incarnation = any($1)`,
        values: [incarnations],
      }),
    others: async () => {
      const rows = await query<{ node: string }>(pool, {
        text: `
          select distinct node from incarnations
          where node <> $1 and alive_until > clock_timestamp()
          order by node limit 100`,
        values: [node],
      })
      return rows.map(row => row.node)
    },
  }
}
