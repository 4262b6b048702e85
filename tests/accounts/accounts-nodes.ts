/** Two nodes on one log that tell the time by one clock, which tests move on instead of waiting. */
import type { AccountSettings } from '../../src/accounts/settings.ts'
import type { Logger } from '../../src/core/ports.ts'
import { createInProcessHub, createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'
import { granted, PASSWORD } from './granted.ts'

export const ORIGIN = 'https://stream.example.org'

export interface AccountsNodes {
  readonly node: RuntimeNode
  readonly other: RuntimeNode
  pass(ms: number): void
  /** What passed so. */
  ahead(): number
  /** A new user with a session. */
  registered(username: string): Promise<{ readonly userId: number; readonly sessionId: number; readonly token: string }>
  stop(): Promise<void>
}

/** @param publicUrl empty: there is none */
export async function startAccountsNodes({
  log = silentLogger,
  publicUrl = ORIGIN,
  ...settings
}: Partial<AccountSettings> & { log?: Logger } = {}): Promise<AccountsNodes> {
  const database = await createTestDatabase()
  let ahead = 0
  const clock = {
    now: () => Date.now() + ahead,
    after: (ms: number, callback: () => void) => {
      const timer = setTimeout(callback, ms)
      timer.unref()
      return () => clearTimeout(timer)
    },
  }
  const accounts = { ...(publicUrl === '' ? {} : { publicUrl }), ...settings }
  const options = { database: database.url, log, hub: createInProcessHub(), clock, accounts }
  const node = await createNode({ ...options, name: 'a' })
  const other = await createNode({ ...options, name: 'b' })
  return {
    node,
    other,
    pass: ms => {
      ahead += ms
    },
    ahead: () => ahead,
    registered: async username => {
      granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
      return granted(await node.accounts.login({ login: username, password: PASSWORD }))
    },
    stop: async () => {
      await Promise.all([node.close(), other.close()])
      await database.drop()
    },
  }
}
