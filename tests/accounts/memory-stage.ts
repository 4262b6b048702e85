/** A node in memory with one user, for what needs no database: a clock of the test's, and no passwords hashed for each session. */
import { expect, onTestFinished } from 'vitest'
import type { Client } from '../../src/accounts/client.ts'
import type { OpenedSession } from '../../src/accounts/sessions.ts'
import { createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export interface MemoryStage {
  readonly node: RuntimeNode
  readonly clock: ManualClock
  readonly userId: number
  open(client?: Client, options?: { remember?: boolean }): Promise<OpenedSession>
  /** Whether the token opens anything now, or the reason why not. */
  verdict(token: string, client?: Client): Promise<string>
}

/** @param skew how far the node's clock is ahead, ms */
export async function startStage(options: NodeOptions = {}, skew = () => 0): Promise<MemoryStage> {
  const clock = createManualClock()
  const skewed = { after: clock.after, now: () => clock.now() + skew() }
  const node = await createNode({ memory: true, clock: skewed, log: silentLogger, name: 'stage', ...options })
  onTestFinished(() => node.close())
  const userId = await registered(node, 'ada')
  return {
    node,
    clock,
    userId,
    open: async (client, given) => {
      const session = await node.accounts.createSession(userId, client, given)
      return session.ok ? session : expect.unreachable(session.detail)
    },
    verdict: async (token, client) => {
      const session = await node.accounts.validate(token, client)
      return session.ok ? 'valid' : session.reason
    },
  }
}

/** Without a password anybody knows, so that none is hashed. */
export async function registered(node: RuntimeNode, username: string): Promise<number> {
  const made = await node.create('user', {
    type: 'user.registered',
    username,
    email: `${username}@example.org`,
    passwordHash: 'none',
  })
  return made.ok ? made.actor.id : expect.unreachable(made.reason)
}
