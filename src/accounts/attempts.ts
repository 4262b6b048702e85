/** How often something may be tried. */

/** What is counted, each with a budget of its own. */
export const ATTEMPT_KINDS = [
  /** Passwords, by the name or address that was typed, whether there is such an account or not. */
  'login.account',
  /** Passwords for an account from where its user signed in lately, by the place and the name that was typed. */
  'login.known',
  /** Passwords, by address of the client. */
  'login.address',
  /** Passwords of somebody who is signed in, by user. */
  'password',
  /** Accounts asked for, by address of the client. */
  'registration',
  /** Second factors of all methods together, by user. */
  'factor',
  /** Codes and mails that are sent, by user or address. */
  'delivery',
  /** Recoveries and verifications asked for, by address of the client. */
  'recovery',
] as const

export type AttemptKind = (typeof ATTEMPT_KINDS)[number]

/** Times in seconds. */
export interface AttemptBudget {
  /** How many attempts there are before the first wait; forgotten after `within`. */
  readonly free: number
  readonly within: number
  /** The wait after the last free attempt; it doubles with each attempt that follows, up to the longest. */
  readonly firstWait: number
  readonly longestWait: number
  /** Attempts in all; then there are none until what followed the free ones is forgotten, after `remembered` (at most 20 days). */
  readonly most: number
  readonly remembered: number
}

export interface TakenAttempt {
  readonly ok: true
  /** It does not count after all; those before it do. */
  giveBack(): Promise<void>
}

export interface BegunAttempt {
  readonly ok: true
  /** To be called once, whatever comes of it. `right`: those before it are forgotten; `undone`: it does not count after all. */
  settle(outcome: 'right' | 'wrong' | 'undone'): Promise<void>
}

export interface RefusedAttempt {
  readonly ok: false
  readonly retryAfterMs: number
}

/** Keys are any text; it is hashed under a key of the installation before it leaves the process. */
export interface AttemptLimiter {
  /** Counts one attempt before it is made; refused where the budget is spent. */
  take(kind: AttemptKind, key: string): Promise<TakenAttempt | RefusedAttempt>
  /**
   * The same for what is settled in a moment. Where the budget is taken by attempts that are being made, on whichever node,
   * it waits for them to be settled, in order and for some seconds: of right ones at once none is refused for the others.
   */
  begin(kind: AttemptKind, key: string): Promise<BegunAttempt | RefusedAttempt>
  /** After a success. */
  clear(kind: AttemptKind, key: string): Promise<void>
  /** Remembers something for some seconds, on all nodes: a hint, lost when the counters are. */
  note(key: string, seconds: number): Promise<void>
  isNoted(key: string): Promise<boolean>
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * NIST SP 800-63B-4: at most 100 failures in a row. An account has two names to be tried under (name and address), so each
 * has 50; at a known place, where a lockout lasts a day, 25.
 */
export const ATTEMPT_BUDGETS: Readonly<Record<AttemptKind, AttemptBudget>> = {
  'login.account': budget(5, HOUR, 30, 15 * MINUTE, 50, 20 * DAY),
  'login.known': budget(5, HOUR, 30, 15 * MINUTE, 25, DAY),
  'login.address': budget(100, HOUR, 30, 15 * MINUTE, 1_000_000, HOUR),
  password: budget(5, HOUR, 30, 15 * MINUTE, 50, DAY),
  registration: budget(20, HOUR, 5 * MINUTE, HOUR, 1_000, DAY),
  factor: budget(10, 15 * MINUTE, 15 * MINUTE, HOUR, 100, 20 * DAY),
  delivery: budget(5, 15 * MINUTE, 15 * MINUTE, HOUR, 100, DAY),
  recovery: budget(20, 15 * MINUTE, 15 * MINUTE, HOUR, 1_000, DAY),
}

function budget(
  free: number,
  within: number,
  firstWait: number,
  longestWait: number,
  most: number,
  remembered: number,
): AttemptBudget {
  return { free, within, firstWait, longestWait, most, remembered }
}
