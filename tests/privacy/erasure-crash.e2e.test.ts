/** An erasure that is killed at any step goes on where it was, on another node, to the same end. */
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import type { Clock } from '../../src/core/ports.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { runCli } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseText } from '../support/database-text.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { CANARY_MARKS, letLoose } from './canary.ts'

/** By which what the killed process had begun is overdue. */
const LATER_MS = 60_000
const later: Clock = {
  now: () => systemClock.now() + LATER_MS,
  after: (ms, callback) => systemClock.after(ms, callback),
}

test.each([
  ['before it is in the log', 'batch.before-send@1'],
  ['when it is, and nobody knows', 'batch.answered@1'],
  ['before anything follows from it', 'actor.committed@1'],
  ['when a session was revoked', 'actor.committed@2'],
  ['when some of what it owned was told', 'actor.committed@6'],
  ['when the key is gone, and the log does not say so', 'effect.before-outcome@1'],
  ['when the log says so', 'effect.before-settling@1'],
])('killed %s', { timeout: 120_000 }, async (_, fault) => {
  const database = await createTestDatabase()
  const folder = await temporaryFolder('erasure')
  try {
    const node = await createNode({ database: database.url, keys: TEST_KEYS, log: silentLogger, name: 'a' })
    const { userId } = await letLoose(node)
    await node.close()

    const killed = await runCli(['users', 'erase', String(userId), '--yes'], {
      DATABASE_URL: database.url,
      REDIS_URL: '',
      ROOTSTREAM_HOME: folder,
      NODE_OPTIONS: '--conditions=fault-points',
      ROOTSTREAM_FAULT: fault,
    })
    expect(killed.stderr).toContain(`killed at ${fault.split('@')[0]}`)

    const next = await createNode({
      database: database.url,
      keys: TEST_KEYS,
      log: silentLogger,
      name: 'b',
      clock: later,
    })
    expect(await next.accounts.administration.erase(userId)).toMatchObject({ ok: true, done: true })
    await next.projections.caughtUp()
    await next.close()
    const left = (await databaseText(database.url)).split('\n')
    expect(left.filter(line => CANARY_MARKS.some(mark => line.includes(mark)))).toEqual([])
    expect(left.filter(line => line.startsWith('public.timers') && line.includes('eraseOwned'))).toEqual([])
  } finally {
    await rm(folder, { recursive: true, force: true })
    await database.drop()
  }
})
