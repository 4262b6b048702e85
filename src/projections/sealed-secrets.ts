/** Under which keys the secrets of factors are sealed, as the read table has it. */
import { type Pool, query } from '../eventstore/pool.ts'

export interface SealedSecrets {
  /** How many there are under each key id. */
  uses(): Promise<ReadonlyMap<string, number>>
  /** Ids of factors whose secret is under another key, in ascending order, after an id. */
  notUnder(keyId: string, after: number, limit: number): Promise<readonly number[]>
}

// `v1.<key id>.<iv>.<ciphertext>`: see src/auth/key-ring.ts.
const KEY_ID = "split_part(secret, '.', 2)"

export function createSealedSecrets(pool: Pool): SealedSecrets {
  return {
    uses: async () => {
      const rows = await query<{ key: string; secrets: number }>(pool, {
        text: `select ${KEY_ID} as key, count(*)::int as secrets from user_mfa where secret <> '' group by 1`,
      })
      return new Map(rows.map(({ key, secrets }) => [key, secrets]))
    },
    notUnder: async (keyId, after, limit) => {
      const rows = await query<{ id: number }>(pool, {
        text: `select id from user_mfa where secret <> '' and ${KEY_ID} <> $1 and id > $2 order by id limit $3`,
        values: [keyId, after, limit],
      })
      return rows.map(({ id }) => id)
    },
  }
}

/** A runtime in memory has nothing that outlives its keys. */
export const NO_SECRETS: SealedSecrets = { uses: async () => new Map(), notUnder: async () => [] }
