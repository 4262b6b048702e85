/** How often something may be tried. */

/** What is counted, each with a budget of its own. */
export type AttemptKind =
  /** Passwords, by account (its id, or the name where there is none) and by address. */
  | 'login.account'
  | 'login.address'
  /** Second factors of all methods together, by user. */
  | 'factor'
  /** Codes and mails that are sent, by user or address. */
  | 'delivery'
  /** Recoveries and verifications asked for, by address of the client. */
  | 'recovery'

export interface AttemptLimiter {
  /** Counts one attempt before it is made; refused where the budget is spent. */
  take(
    kind: AttemptKind,
    key: string,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }>
  /** After a success. */
  clear(kind: AttemptKind, key: string): Promise<void>
}
