/** A node with its HTTP API for the bench of accounts. */
import { createNode } from '../../src/app.ts'
import { startHttpServer } from '../../src/http/server.ts'
import { ENDLESS_BUDGETS } from '../endless.ts'
import { SILENT } from '../silent.ts'
import type { AuthSide, AuthSideOptions } from './auth-child.ts'

const SESSIONS_OF_A_USER = 1_000

export async function open({ database, redis }: AuthSideOptions): Promise<AuthSide> {
  const limit = { most: SESSIONS_OF_A_USER, policy: 'revoke_oldest' } as const
  const node = await createNode({
    database,
    redis,
    name: 'bench',
    log: SILENT,
    accounts: { sessionLimits: { admin: limit, operator: limit, viewer: limit }, attemptBudgets: ENDLESS_BUDGETS },
  })
  const server = await startHttpServer({
    node,
    host: '127.0.0.1',
    port: 0,
    token: 'bench-token-of-a-length',
    log: SILENT,
  })
  return {
    url: server.url,
    register: async (name, password) => {
      const registered = await node.accounts.register({ username: name, email: `${name}@example.org`, password })
      if (!registered.ok) throw new Error(registered.detail)
    },
    close: async () => {
      await server.close()
      await node.close()
    },
  }
}
