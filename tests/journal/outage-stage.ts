/** Nodes on one Postgres, each with a link and a home of its own, so that one of them can be cut off while the others go on. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { TestContext } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import type { LogEvent } from '../../src/core/event.ts'
import type { Accepted, CommandResult, Tentative } from '../../src/core/result.ts'
import { silentLogger } from '../../src/logging.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { type Link, openLink } from './link.ts'

export interface LinkedNode {
  readonly node: RuntimeNode
  readonly link: Link
  readonly home: string
  /** Resolves when nothing is pending here and Postgres is there. */
  healed(): Promise<void>
  close(): Promise<void>
}

export interface OutageStage {
  readonly url: string
  start(name: string, options?: NodeOptions): Promise<LinkedNode>
}

/** Taken down when the test is over. */
export async function outageStage({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<OutageStage> {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const folder = await temporaryFolder('outage')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return {
    url: database.url,
    start: async (name, options = {}) => {
      const link = await openLink(database.url)
      onTestFinished(() => link.close())
      const home = path.join(folder, name)
      const node = await createNode({
        ...{ database: link.url, home, name, keys: TEST_KEYS, log: silentLogger, patienceMs: 200 },
        ...options,
      })
      let closing: Promise<void> | undefined
      const close = () => (closing ??= node.close())
      onTestFinished(close)
      return {
        node,
        link,
        home,
        healed: () =>
          eventually(async () => {
            const outage = node.actors.outage()
            if (outage === undefined || outage.away || outage.pending > 0)
              throw new Error(`not healed: ${JSON.stringify(outage)}`)
          }),
        close,
      }
    },
  }
}

export function tentative(result: CommandResult): Tentative {
  if (!result.tentative) throw new Error(`not tentative: ${JSON.stringify(result)}`)
  return result
}

export function accepted(result: CommandResult): Accepted {
  if (!result.ok || result.tentative) throw new Error(`not accepted: ${JSON.stringify(result)}`)
  return result
}

export async function history(node: RuntimeNode, type: string, id: number): Promise<readonly LogEvent[]> {
  return (await Array.fromAsync(node.actor(type, id).history())).flat()
}

export async function registerUser(node: RuntimeNode, username: string): Promise<number> {
  const event = { type: 'user.registered', username, email: `${username}@example.org`, passwordHash: 'hash' }
  return accepted(await node.create('user', event)).actor.id
}

export async function openSession(node: RuntimeNode, userId: number, tokenHash: string): Promise<number> {
  const event = { type: 'session.created', userId, tokenHash, expiresAt: '2099-01-01T00:00:00Z' }
  return accepted(await node.create('session', event)).actor.id
}
