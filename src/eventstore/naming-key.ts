/** The sealed key that the nodes of one log hash names and short codes with. */
import { type Pool, query } from './pool.ts'

/** As `NamingKeyStore` of src/auth asks for it. Throws AppError `log_unavailable`. */
export function createPgNamingKey(pool: Pool) {
  const read = async (): Promise<string | undefined> => {
    const [row] = await query<{ sealed: string }>(pool, { text: 'select sealed from naming_key' })
    return row?.sealed
  }
  return {
    read,
    claim: async (sealed: string): Promise<string> => {
      await query(pool, {
        text: 'insert into naming_key (sealed) values ($1) on conflict do nothing',
        values: [sealed],
      })
      return (await read()) ?? sealed
    },
    replace: async (before: string, after: string): Promise<void> => {
      await query(pool, { text: 'update naming_key set sealed = $2 where sealed = $1', values: [before, after] })
    },
  }
}
