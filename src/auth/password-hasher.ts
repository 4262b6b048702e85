/** Password hashes: Argon2id in PHC strings, by OWASP's parameters. */
import { hash, verify } from '@node-rs/argon2'

export interface PasswordHasher {
  hash(password: string): Promise<string>
  /** `stale`: right, and hashed under parameters that are no longer used. */
  verify(stored: string, password: string): Promise<'wrong' | 'right' | 'stale'>
  /** Takes as long as `verify` and is wrong: what is asked where there is no such user. */
  verifyNobody(password: string): Promise<'wrong'>
  /** Absent where nothing is counted. */
  stats?(): { readonly running: number; readonly waiting: number; readonly refused: number }
}

// Argon2id is the library's default, and its enum is none that stripped types could import.
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
const CURRENT = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`

export function createPasswordHasher(): PasswordHasher {
  const nobody = hash('nobody has this password', PARAMETERS)
  return {
    hash: password => hash(password, PARAMETERS),
    verify: async (stored, password) => {
      if (!(await verify(stored, password))) return 'wrong'
      return stored.startsWith(CURRENT) ? 'right' : 'stale'
    },
    verifyNobody: async password => {
      await verify(await nobody, password)
      return 'wrong'
    },
  }
}
