/** What the audit chain is made of: a stored event as texts, and the seal over a range of them. */

/**
 * A row of the log in the order of its columns, each as its text: nothing is rounded or left out on the way.
 * `data` is JSON in any formatting; `at` is ISO 8601, UTC, without trailing zeros in the fraction.
 */
export type StoredEvent = readonly [
  position: string,
  actorType: string,
  actorId: string,
  version: string,
  type: string,
  schemaVersion: string,
  data: string,
  state: string,
  at: string,
  node: string,
  incarnation: string,
  n: string,
  userId: string | null,
  commandId: string | null,
  causation: string | null,
  correlation: string | null,
  token: string | null,
  /** JSON in any formatting. */
  origin: string | null,
]

/** Hashes are SHA-256 in lower-case hex. */
export interface SealSummary {
  /** 1, 2, 3, … without gaps. */
  readonly number: number
  /** Position of the first event. The seal covers all that lies after the last position of the seal before. */
  readonly first: number
  readonly last: number
  readonly events: number
  /** Over the digests of the events. */
  readonly eventsHash: string
  readonly marksHash: string
  /** Hash of the seal before; zeros for the first. */
  readonly previous: string
  /** ISO 8601, UTC, by the clock of the node that sealed. */
  readonly sealedAt: string
  /** Over all of the above. */
  readonly hash: string
}

export interface Seal extends SealSummary {
  /** For each event its distance from `first` and the start of its digest, four bytes each: finds what was changed. */
  readonly marks: Uint8Array
}

/** Where the chain ends. */
export type SealTip = Pick<SealSummary, 'number' | 'last' | 'hash' | 'sealedAt'>
