/** How personal data stands in the log: sealed under a key of the user it is about. */
import type { JsonObject } from './json.ts'

/** The key of an event's data (or of a snapshot's context) that holds what is sealed. No event schema has a field of that name. */
export const SEALED_KEY = '$personal'

export interface SealedPart {
  /** The user it is about. */
  readonly of: number
  /** Which fields were sealed, as `email` or `row.email`; none for a snapshot, which is sealed whole. */
  readonly fields: readonly string[]
  /** Base64url of nonce, ciphertext and tag, AES-256-GCM. */
  readonly sealed: string
}

/** What of the data is sealed; undefined where nothing is. */
export function sealedPart(data: JsonObject): SealedPart | undefined {
  const part: unknown = data[SEALED_KEY]
  return part as SealedPart | undefined
}

/** Where the keys are kept: wrapped, one for each user. Every method may throw AppError `log_unavailable`. */
export interface PersonalKeyTable {
  /** Wrapped keys by user, null where one was destroyed; users without a key are left out. */
  read(users: readonly number[]): Promise<ReadonlyMap<number, string | null>>
  /** Adds keys of users that have none, and answers what all of them have then. */
  add(wrapped: ReadonlyMap<number, string>): Promise<ReadonlyMap<number, string | null>>
  /** For good: the user gets no other. */
  destroy(user: number): Promise<void>
  /** Keys that are there, by user; users after `after`. */
  page(after: number, limit: number): Promise<readonly (readonly [user: number, wrapped: string])[]>
  /** Leaves out what was changed or destroyed meanwhile; answers how many were replaced. */
  replace(changes: readonly { readonly user: number; readonly from: string; readonly to: string }[]): Promise<number>
  /** How many are wrapped under each key of the ring, by its id. */
  uses(): Promise<ReadonlyMap<string, number>>
}
