/** Two nodes on one log under a clock that stands still, and users with authenticator apps. */
import pg from 'pg'
import { expect } from 'vitest'
import { createInProcessHub, createNode, type NodeOptions, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { createStillClock, STEP_MS } from './still-clock.ts'

const MANY_LOGINS = { free: 25, within: 60, firstWait: 30, longestWait: 60, most: 1_000, remembered: 60 }

/** What tests call before `open` has answered fails; the clock is there from the start. */
export function createFactorStage() {
  const clock = createStillClock()
  let database: TestDatabase
  let node: RuntimeNode
  let other: RuntimeNode
  const nodeAt = (index: number) => (index % 2 === 0 ? node : other)

  function start(options: NodeOptions): Promise<RuntimeNode> {
    return createNode({
      ...{ database: database.url, keys: TEST_KEYS, log: silentLogger, clock },
      // Twenty logins at once are twenty attempts under way.
      accounts: { attemptBudgets: { 'login.account': MANY_LOGINS } },
      ...options,
    })
  }

  /** A new user with a session. */
  async function registered(username: string) {
    granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
    return granted(await node.accounts.login({ login: username, password: PASSWORD }))
  }

  /** With an authenticator app, which the code of the step before has confirmed. */
  async function enrolled(username: string) {
    const session = await registered(username)
    const { secret, uri } = granted(await node.accounts.enrolTotp(session.token))
    const { backupCodes = [], ...opened } = granted(
      await node.accounts.confirmTotp(session.token, codeOf(secret, clock.now() - STEP_MS)),
    )
    return { ...opened, secret, uri, backupCodes }
  }

  /** A login that waits for a factor. */
  async function pending(username: string, on = node) {
    const session = granted(await on.accounts.login({ login: username, password: PASSWORD }))
    expect(session).toMatchObject({ pending: true })
    return session.token
  }

  /** One after the other on either node. */
  const pendings = (username: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, index) => pending(username, nodeAt(index))))

  /** Rows, as soon as the tables are as new as the log. */
  async function read(sql: string, values: unknown[] = []) {
    await node.projections.caughtUp(await node.log.head())
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const { rows } = await client.query(sql, values)
    await client.end()
    return rows
  }

  return {
    ...{ clock, nodeAt, start, registered, enrolled, pending, pendings, read },
    open: async () => {
      database = await createTestDatabase()
      const hub = createInProcessHub()
      node = await start({ hub, name: 'a' })
      other = await start({ hub, name: 'b' })
      return { node, other }
    },
    close: async () => {
      await Promise.all([node.close(), other.close()])
      await database.drop()
    },
  }
}
