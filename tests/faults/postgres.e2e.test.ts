/** Postgres breaks under a whole node that works: every command ends in success, a refusal or an error that says "again", and again settles it. */
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { describe, expect, type TestContext, test, vi } from 'vitest'
import { type OwnPostgres, ownPostgres } from '../support/database.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { type Commands, createCommands } from './commands.ts'
import { expectNothingLostOrDoubled } from './invariants.ts'
import { type ServedNode, serveNode } from './served-node.ts'
import { runWorkload } from './workload.ts'

interface Scene {
  readonly server: OwnPostgres
  readonly served: ServedNode
  readonly commands: Commands
  readonly log: RecordingLog
}

/** A server of its own, a node on it, and the load while `fault` does its work; then the proof. */
async function underLoad({ onTestFinished }: TestContext, fault: (scene: Scene) => Promise<void>): Promise<void> {
  const server = await ownPostgres()
  onTestFinished(() => server.remove())
  const log = createRecordingLog()
  const served = await serveNode(server.url, { log })
  onTestFinished(() => served.stop())
  const commands = createCommands(() => served.client)
  await Promise.all([runWorkload(commands), fault({ server, served, commands, log })])
  await expectNothingLostOrDoubled({ url: server.url, client: served.client, commands })
  expect((await served.client.request('GET', '/ready')).status).toBe(200)
}

/** The server and each of its backends. */
function processesOf({ pid }: OwnPostgres): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return [pid, ...children.map(Number)]
}

function signalAll(server: OwnPostgres, signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of processesOf(server)) process.kill(pid, signal)
}

describe.concurrent('under a node that works', () => {
  test('Postgres is killed, twice', async context => {
    await underLoad(context, async ({ server, commands }) => {
      for (const count of [40, 120]) {
        await commands.settled(count)
        await server.kill9()
        await server.restart()
      }
    })
  })

  test('Postgres is restarted in order', async context => {
    await underLoad(context, async ({ server, commands }) => {
      await commands.settled(60)
      await server.stop()
      await server.restart()
    })
  })

  test('Postgres stands still until it is given up, and goes on', async context => {
    await underLoad(context, async ({ server, served, commands, log }) => {
      await commands.settled(60)
      signalAll(server, 'SIGSTOP')
      try {
        expect(await served.bystander.request('GET', '/health')).toMatchObject({
          status: 503,
          // It says so at once, and does not wait for a server that hangs.
          body: { status: 'down', components: { log: { detail: { error: 'no answer' } } } },
        })
        await commands.met('log_unavailable')
        // Now the same batch is with two backends: the one that stands still will write it too when it goes on.
        await vi.waitFor(
          () => expect(log.lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('sent again')),
          { timeout: 60_000 },
        )
      } finally {
        signalAll(server, 'SIGCONT')
      }
    })
  })

  test('its connections are cut, again and again', async context => {
    await underLoad(context, async ({ server, commands }) => {
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      for (let cut = 1; cut <= 12; cut++) {
        await commands.settled(cut * 15)
        await client.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rootstream'",
        )
      }
      await client.end()
    })
  })
})
