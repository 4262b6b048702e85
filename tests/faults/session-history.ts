/** What was answered about sessions, and when: the checker of "no revoked session is accepted past its bound". Pure. */

/** Milliseconds of one clock. */
export interface Revoked {
  readonly session: number
  readonly acknowledgedAt: number
  /** Tentative: taken by this node without the log. The others can know from when it is in there. */
  readonly only?: { readonly node: string; readonly inLogAt: number }
}

export interface Read {
  readonly node: string
  readonly session: number
  readonly sentAt: number
  readonly answeredAt: number
  readonly active: boolean
}

export interface SessionHistory {
  readonly revoked: readonly Revoked[]
  readonly reads: readonly Read[]
}

export interface Breach extends Read {
  readonly why: 'acknowledged' | 'told before'
  readonly lateByMs: number
}

/**
 * Reads that called a session active though they were sent more than the bound after its revocation was acknowledged, or
 * after the same node had answered that it is not.
 */
export function breaches({ revoked, reads }: SessionHistory, boundMs: number): readonly Breach[] {
  return reads
    .filter(({ active }) => active)
    .flatMap((read): Breach[] => {
      const acknowledged = Math.min(...revoked.map(revocation => knownAt(revocation, read)))
      const told = Math.min(
        ...reads.map(({ node, session, active, answeredAt }) =>
          node === read.node && session === read.session && !active ? answeredAt : Number.POSITIVE_INFINITY,
        ),
      )
      const [since, why] =
        acknowledged <= told ? ([acknowledged, 'acknowledged'] as const) : ([told, 'told before'] as const)
      const lateByMs = read.sentAt - since - boundMs
      return lateByMs > 0 ? [{ ...read, why, lateByMs }] : []
    })
}

/** Revocations that a node was not asked after past the bound: of these the history proves nothing. */
export function unproven(
  { revoked, reads }: SessionHistory,
  nodes: readonly string[],
  boundMs: number,
): readonly { readonly node: string; readonly session: number }[] {
  return revoked.flatMap(revocation =>
    nodes
      .filter(node => {
        const since = knownAt(revocation, { node, session: revocation.session }) + boundMs
        return !reads.some(read => read.node === node && read.session === revocation.session && read.sentAt > since)
      })
      .map(node => ({ node, session: revocation.session })),
  )
}

function knownAt({ session, acknowledgedAt, only }: Revoked, asked: Pick<Read, 'node' | 'session'>): number {
  if (session !== asked.session) return Number.POSITIVE_INFINITY
  return only === undefined || only.node === asked.node ? acknowledgedAt : only.inLogAt
}
