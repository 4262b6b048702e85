/** A real node is killed at each step of a command, under load, and another goes on: nothing is lost, doubled or left undone. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAULT_POINTS } from '../../src/core/fault-point.ts'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { createCommands } from './commands.ts'
import { asIfHalfAMinutePassed, expectNothingLostOrDoubled } from './invariants.ts'
import { runWorkload } from './workload.ts'

const TOKEN = 'a-token-of-the-tests'

type CommandFaultPoint = (typeof FAULT_POINTS)[number]

/**
 * At which of its hits each point ends a node: the first node at the first, the node after it at the second. Small, for
 * a busy machine puts more into each batch and each page.
 */
const KILLS: Record<CommandFaultPoint, readonly [number, ...number[]]> = {
  'create.id-taken': [12, 9],
  'actor.loaded': [3, 20],
  'actor.decided': [15, 15],
  'batch.before-send': [1, 3],
  'batch.answered': [2, 3],
  'actor.committed': [7, 15],
  'actor.state-moved': [11, 12],
  'actor.announced': [9, 14],
  'actor.before-answer': [1, 60],
  'http.before-reply': [30, 50],
  'actor.before-refusal': [1, 4],
  'actor.before-repeating': [1, 2],
  'actor.conflict': [2],
  'snapshot.before-save': [1],
  'effect.before-outcome': [1, 3],
  'effect.before-settling': [2, 3],
  'timer.before-firing': [1, 1],
  'timer.before-settling': [1],
  'projection.before-commit': [1, 2],
  'projection.committed': [1, 2],
}

const hit = new Set<CommandFaultPoint>()
let folder: string
beforeAll(async () => {
  folder = await temporaryFolder('kill')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

// A point that is not passed often enough is waited for in vain.
describe.concurrent('a node killed', () => {
  test.for(FAULT_POINTS)(
    'at %s: the next one settles every command, and nothing is lost or doubled',
    async (point, { onTestFinished }) => {
      const database = await createTestDatabase()
      onTestFinished(() => database.drop())
      let homes = 0
      const start = async (fault = '', url = database.url) => {
        const node = await startNodeProcess(
          {
            DATABASE_URL: url,
            REDIS_URL: '',
            ROOTSTREAM_HOME: path.join(folder, `${point}-${homes++}`),
            ROOTSTREAM_HTTP_PORT: '0',
            ROOTSTREAM_TOKEN: TOKEN,
            LOG_LEVEL: 'error',
            ROOTSTREAM_FAULT: fault,
          },
          { nodeArgs: ['--conditions=fault-points'] },
        )
        const client = new HttpClient(node.url, TOKEN, 48)
        // Also where the test has run out of time, and waits for a point that is not passed.
        onTestFinished(async () => {
          client.close()
          await node.kill()
        })
        return { node, client }
      }
      const faults = KILLS[point].map(count => `${point}@${count}`)
      let current = start(faults[0])
      // Two writers of one log are what a conflict takes.
      const other =
        point === 'actor.conflict' ? await start('', `${database.url}?application_name=bystander`) : undefined

      const killed = async () => {
        for (const next of [...faults.slice(1), undefined]) {
          const { node } = await current
          const { signal, stderr } = await node.ended
          expect({ signal, stderr }).toEqual({
            signal: 'SIGKILL',
            stderr: expect.stringContaining(`killed at ${point}`),
          })
          hit.add(point)
          current = untilGone(database.url).then(() => start(next))
        }
        return current
      }

      let turn = 0
      const commands = createCommands(
        async () => (other !== undefined && turn++ % 2 === 0 ? other : await current).client,
      )
      const [{ client }] = await Promise.all([killed(), runWorkload(commands)])
      await expectNothingLostOrDoubled({ url: database.url, client, commands })
    },
  )
})

test('every point was hit', () => {
  expect([...hit].sort()).toEqual([...FAULT_POINTS].sort())
})

/** Waits until the server has noticed the death: until then what was under way may still commit. */
async function untilGone(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await eventually(async () => {
      const { rows } = await client.query(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'rootstream'",
      )
      expect(rows).toEqual([])
    })
    await asIfHalfAMinutePassed(client)
  } finally {
    await client.end()
  }
}
