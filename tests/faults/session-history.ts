/** What was answered about sessions, and when: the checker of "no revoked session is accepted past its bound". Pure. */

/** Milliseconds of one clock. */
export interface Revoked {
  readonly session: number
  readonly acknowledgedAt: number
}

export interface Read {
  readonly session: number
  readonly sentAt: number
  readonly active: boolean
}

/** Reads that were sent more than the bound after a revocation was acknowledged, and still called the session active. */
export function acceptedTooLate(
  { revoked, reads }: { readonly revoked: readonly Revoked[]; readonly reads: readonly Read[] },
  boundMs: number,
): readonly (Read & { readonly lateByMs: number })[] {
  const times = new Map(revoked.map(({ session, acknowledgedAt }) => [session, acknowledgedAt]))
  return reads.flatMap(read => {
    const lateByMs = read.sentAt - ((times.get(read.session) ?? Number.POSITIVE_INFINITY) + boundMs)
    return read.active && lateByMs > 0 ? [{ ...read, lateByMs }] : []
  })
}
