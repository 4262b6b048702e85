/** The log's register of its nodes' starts, as a node without its log needs it: how far clocks may go, and which starts are over. */

/** Times are milliseconds since the epoch. */
export interface ClockLease {
  /** No stamp is at or beyond it. */
  readonly ceiling: number
  /** What the clock of the log showed when it answered. */
  readonly now: number
}

/** A start of this node's name that is not sealed. */
export interface OpenStart {
  readonly incarnation: number
  readonly journal: string
  readonly ceiling: number
  /** The last stamp it is known to have given out, 0 where none is. */
  readonly last: number
}

export interface EnteredLease extends ClockLease {
  readonly open: readonly OpenStart[]
}

export interface LeaseTerms {
  /** How far ahead of the log's clock the ceiling is put. */
  readonly aheadMs: number
  /** How long the start counts as alive without another word of it. */
  readonly aliveMs: number
}

/** What is on record of a start of any node. */
export interface StartRecord {
  readonly node: string
  readonly incarnation: number
  /** Null for a start without a clock of its own. */
  readonly ceiling: number | null
  /** Null until it is sealed. */
  readonly sealedN: number | null
}

/** Speaks for one start of one node. Every method may throw AppError `log_unavailable`, and may be called again then. */
export interface Register {
  /** Once a start, before its first stamp. The ceiling lies above those of all open starts of the same name. */
  enter(journal: string, terms: LeaseTerms): Promise<EnteredLease>
  /** Undefined where this start was sealed: another one has its place. */
  renew(last: number, terms: LeaseTerms): Promise<ClockLease | undefined>
  /** This start is over. Its ceiling comes down to `ceiling`; undefined: it stays. */
  leave(ceiling: number | undefined): Promise<void>
  /**
   * Seals the earlier starts of this name that are over: those with this journal, and those that have not been heard of for
   * as long as they said. Answers what was sealed now.
   */
  seal(journal: string): Promise<readonly StartRecord[]>
  starts(incarnations: readonly number[]): Promise<readonly StartRecord[]>
  /** Names of other nodes that count as alive, at most a hundred. */
  others(): Promise<readonly string[]>
}

/** A ceiling lies at least this far above those before it: room for billions of stamps where the wall clock is behind. */
export const CEILING_STEP_MS = 1_000
