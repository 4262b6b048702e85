/** Sessions that several clients keep asking all nodes about, while others revoke them: everything is written down. */
import { expect } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import type { Commands } from './commands.ts'
import type { Read, Revoked, SessionHistory } from './session-history.ts'
import type { ServedProcess } from './several-processes.ts'

export interface WatchedSessions {
  readonly ids: readonly number[]
  readonly history: SessionHistory
  /** Reads that ended in an error which may be asked again. */
  readonly unanswered: number
  /** The slowest read so far, in milliseconds. */
  readonly slowest: number
  revoke(session: number): Promise<void>
  /** On a node without its log; resolves when it has taken it, and `settle` brings it into the history. */
  revokeTentatively(on: ServedProcess, session: number): Promise<void>
  /** Asks what became of the tentative ones, until all are in the log. */
  settle(): Promise<void>
  /** Resolves when each node was asked after each session, from now on. */
  askedAfterAll(): Promise<void>
  stop(): Promise<void>
}

export async function watchSessions(
  nodes: readonly ServedProcess[],
  commands: Commands,
  userId: number,
  count: number,
): Promise<WatchedSessions> {
  const ids = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const event = { type: 'session.created', userId, tokenHash: `t${n}`, expiresAt: '2099-01-01T00:00:00Z' }
      const made = await commands.send('/v1/actors/session', event, `s${n}`)
      if (!made.taken) throw new Error(made.code)
      return made.id
    }),
  )
  const revoked: Revoked[] = []
  const reads: Read[] = []
  const tentative: { readonly session: number; readonly node: string; readonly acknowledgedAt: number }[] = []
  let watching = true
  let unanswered = 0
  let slowest = 0
  const EVENT = { type: 'session.revoked' }
  const path = (session: number) => `/v1/actors/session/${session}/commands`

  const watch = async ({ name: node, client }: ServedProcess, first: number) => {
    for (let n = first; watching; n++) {
      const session = ids[n % ids.length] as number
      const sentAt = performance.now()
      const { status, body } = await client.request('GET', `/v1/actors/session/${session}`)
      const answeredAt = performance.now()
      slowest = Math.max(slowest, answeredAt - sentAt)
      const answer = body as { state?: string; retryable?: boolean }
      if (status === 200) reads.push({ node, session, sentAt, answeredAt, active: answer.state === 'active' })
      else {
        expect(body).toMatchObject({ code: 'log_unavailable', retryable: true })
        unanswered++
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
  }
  const watchers = Promise.all(nodes.flatMap(node => [watch(node, 0), watch(node, Math.floor(count / 2))]))

  // Told by `stop`; a test that has failed by then is not waiting for it.
  watchers.catch(() => {})

  return {
    ids,
    history: { revoked, reads },
    get unanswered() {
      return unanswered
    },
    get slowest() {
      return slowest
    },
    revoke: async session => {
      await commands.send(path(session), EVENT, `r${session}`)
      revoked.push({ session, acknowledgedAt: performance.now() })
    },
    revokeTentatively: async ({ name: node, client }, session) => {
      const headers = { 'idempotency-key': `r${session}` }
      const { status } = await client.request('POST', path(session), { body: EVENT, headers })
      expect(status).toBe(202)
      tentative.push({ session, node, acknowledgedAt: performance.now() })
    },
    settle: async () => {
      for (const { session, node, acknowledgedAt } of tentative.splice(0)) {
        expect(await commands.send(path(session), EVENT, `r${session}`)).toMatchObject({ taken: true, repeated: true })
        revoked.push({ session, acknowledgedAt, only: { node, inLogAt: performance.now() } })
      }
    },
    askedAfterAll: async () => {
      const since = performance.now()
      await eventually(() => {
        const asked = new Set(
          reads.filter(({ sentAt }) => sentAt > since).map(({ node, session }) => `${node} ${session}`),
        )
        expect(asked.size).toBe(nodes.length * ids.length)
      })
    },
    stop: async () => {
      watching = false
      await watchers
    },
  }
}
