/** The wrapped keys of users in Postgres. */
import type { PersonalKeyTable } from '../core/personal.ts'
import { type Pool, query, queryArrays } from './pool.ts'

type Row = [user: number, wrapped: string | null]

export function createPgKeyTable(pool: Pool): PersonalKeyTable {
  const read = async (users: readonly number[]) =>
    new Map(
      await queryArrays<Row>(pool, {
        name: 'read_personal_keys',
        text: 'select user_id, wrapped from personal_keys where user_id = any($1::bigint[])',
        values: [users],
      }),
    )
  return {
    read,
    add: async wrapped => {
      // In one order on all nodes: who makes keys for the same users at the same time would else wait for each other.
      const added = await queryArrays<Row>(pool, {
        name: 'add_personal_keys',
        text: `
          insert into personal_keys (user_id, wrapped)
          select * from unnest($1::bigint[], $2::text[]) as k (user_id, wrapped) order by user_id
          on conflict (user_id) do nothing
          returning user_id, wrapped`,
        values: [[...wrapped.keys()], [...wrapped.values()]],
      })
      if (added.length === wrapped.size) return new Map(added)
      // The others have one, or had one that was destroyed.
      return read([...wrapped.keys()])
    },
    destroy: async user => {
      await query(pool, {
        name: 'destroy_personal_key',
        text: `
          insert into personal_keys (user_id, wrapped, destroyed_at) values ($1, null, now())
          on conflict (user_id) do update set wrapped = null, destroyed_at = now()
          where personal_keys.wrapped is not null`,
        values: [user],
      })
    },
    page: (after, limit) =>
      queryArrays<[number, string]>(pool, {
        name: 'page_of_personal_keys',
        text: 'select user_id, wrapped from personal_keys where user_id > $1 and wrapped is not null order by user_id limit $2',
        values: [after, limit],
      }),
    replace: async changes => {
      const rows = await query(pool, {
        name: 'replace_personal_keys',
        text: `
          update personal_keys k set wrapped = r.after
          from unnest($1::bigint[], $2::text[], $3::text[]) as r (user_id, before, after)
          where k.user_id = r.user_id and k.wrapped = r.before
          returning k.user_id`,
        values: [changes.map(({ user }) => user), changes.map(({ from }) => from), changes.map(({ to }) => to)],
      })
      return rows.length
    },
    uses: async () => {
      // `v1.<key id>.<iv>.<ciphertext>`: see src/auth/key-ring.ts.
      const rows = await query<{ key: string; keys: number }>(pool, {
        text: `
          select split_part(wrapped, '.', 2) as key, count(*)::int as keys
          from personal_keys where wrapped is not null group by 1`,
      })
      return new Map(rows.map(({ key, keys }) => [key, keys]))
    },
  }
}
