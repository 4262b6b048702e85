/** Two nodes on one log that tell the time by one clock, which tests move on instead of waiting. */
import type { AccountSettings } from '../../src/accounts/settings.ts'
import type { Logger } from '../../src/core/ports.ts'
import type { RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createAheadClock } from '../support/ahead-clock.ts'
import { startNodePair } from '../support/node-pair.ts'
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
  const clock = createAheadClock()
  const accounts = { ...(publicUrl === '' ? {} : { publicUrl }), ...settings }
  const { node, other, close } = await startNodePair({ log, clock, accounts })
  return {
    node,
    other,
    pass: clock.pass,
    ahead: clock.ahead,
    registered: async username => {
      granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
      return granted(await node.accounts.login({ login: username, password: PASSWORD }))
    },
    stop: close,
  }
}
