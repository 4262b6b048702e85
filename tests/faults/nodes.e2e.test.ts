/** Two real nodes on the same actors, and a node whose every connection somebody else keeps waiting. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { expect, type TestContext, test, vi } from 'vitest'
import type { ActorView } from '../../src/actors/api.ts'
import { AppError } from '../../src/core/errors.ts'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createCommands } from './commands.ts'
import { expectNothingLostOrDoubled } from './invariants.ts'
import { serveNode } from './served-node.ts'
import { runWorkload } from './workload.ts'

const TOKEN = 'a-token-of-the-tests'
/** What a node has for everything but appends. */
const CONNECTIONS = 10

async function ownDatabase({ onTestFinished }: TestContext): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  return database
}

test.concurrent('two processes take commands for the same actors in turn: conflicts settle, nothing is lost, both see the same', async context => {
  const database = await ownDatabase(context)
  const folder = await temporaryFolder('nodes')
  context.onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const start = async (name: string) => {
    const node = await startNodeProcess({
      DATABASE_URL: database.url,
      REDIS_URL: '',
      ROOTSTREAM_HOME: path.join(folder, name),
      ROOTSTREAM_HTTP_PORT: '0',
      ROOTSTREAM_TOKEN: TOKEN,
      ROOTSTREAM_NODE: name,
      LOG_LEVEL: 'error',
    })
    context.onTestFinished(async () => void (await node.stop()))
    const client = new HttpClient(node.url, TOKEN, 32)
    context.onTestFinished(async () => client.close())
    return client
  }
  const clients = await Promise.all([start('one'), start('two')])
  let turn = 0
  const commands = createCommands(() => clients[turn++ % 2] as HttpClient)
  await runWorkload(commands)
  for (const client of clients) await expectNothingLostOrDoubled({ url: database.url, client, commands })
  const reader = new pg.Client({ connectionString: database.url })
  await reader.connect()
  context.onTestFinished(() => reader.end())
  const { rows } = await reader.query(
    "select count(distinct node)::int as nodes from events where actor_type = 'stream' group by actor_id order by count(*) desc limit 1",
  )
  expect(rows).toEqual([{ nodes: 2 }])
})

test.concurrent('every connection waits for a lock of somebody else: what needs none goes on, the rest may be sent again', async context => {
  const database = await ownDatabase(context)
  const served = await serveNode(database.url)
  context.onTestFinished(() => served.stop())
  const { node } = served
  const commands = createCommands(() => served.client)
  await runWorkload(commands, { name: 'before', households: 2, viewers: 8 })
  const known = commands.sent.find(({ key }) => key === 'before-1:user')
  if (known?.outcome.taken !== true) throw new Error('nobody is registered')
  const user = node.actor('user', known.outcome.id)

  const foreign = new pg.Client({ connectionString: database.url })
  await foreign.connect()
  context.onTestFinished(() => foreign.end())
  // Whatever is not in memory is loaded by way of this table.
  await foreign.query('begin; lock table actor_snapshots in access exclusive mode')
  // Another session: inside a transaction the view stands still.
  const observer = new pg.Client({ connectionString: database.url })
  await observer.connect()
  context.onTestFinished(() => observer.end())
  const loading: Promise<PromiseSettledResult<ActorView>>[] = []
  await vi.waitFor(
    async () => {
      const { rows } = await observer.query(
        `select count(*)::int as waiting from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and query like '%actor_snapshots%'`,
      )
      // More than there are connections, again where a busy machine gave some up before they were open.
      for (let n = rows[0].waiting; n < 2 * CONNECTIONS; n++) {
        const state = node.actor('stream', 5_000 + loading.length).state()
        loading.push(Promise.allSettled([state]).then(([outcome]) => outcome))
      }
      // Those that were given up wait there, too.
      expect(rows[0].waiting).toBeGreaterThanOrEqual(CONNECTIONS)
    },
    { timeout: 30_000, interval: 500 },
  )

  const name = { type: 'user.updated', displayName: 'In memory' }
  expect(await user.send(name, { commandId: 'known' })).toMatchObject({ ok: true })
  const unknown = () => node.create('user', { ...registered, username: 'new' }, { commandId: 'unknown' })
  const failure = await unknown().catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(AppError)
  expect(failure).toMatchObject({ code: 'log_unavailable', retryable: true })

  await foreign.query('rollback')
  expect(await unknown()).toMatchObject({ ok: true })
  const outcomes = await Promise.all(loading)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'log_unavailable' })
    else expect(outcome.value).toMatchObject({ version: 0 })
  expect(outcomes.map(({ status }) => status)).toContain('rejected')
  await served.client.request('POST', `/v1/actors/user/${user.ref.id}/commands`, { body: name })
  expect(await user.state()).toMatchObject({ version: 3 })
})

test.concurrent('the log itself is locked for longer than an answer is waited for: the append is there once', async context => {
  const database = await ownDatabase(context)
  const log = createRecordingLog()
  const served = await serveNode(database.url, { log })
  context.onTestFinished(() => served.stop())
  const commands = createCommands(() => served.client)
  const foreign = new pg.Client({ connectionString: database.url })
  await foreign.connect()
  context.onTestFinished(() => foreign.end())
  await foreign.query('begin; lock table events in share mode')
  const load = runWorkload(commands, { households: 3, viewers: 8 })
  await vi.waitFor(
    () => expect(log.lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('sent again')),
    { timeout: 60_000 },
  )
  await foreign.query('rollback')
  await load
  await expectNothingLostOrDoubled({ url: database.url, client: served.client, commands })
})

const registered = { type: 'user.registered', username: 'new', email: 'new@example.org', passwordHash: 'x' }
