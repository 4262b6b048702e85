/** A node is killed and its journal deleted: what it accepts afterwards is later than all it had accepted before. */
import { readFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { parseHybridTime } from '../../src/core/hybrid-clock.ts'
import { scan } from '../../src/journal/frames.ts'
import { parseEntries } from '../../src/journal/journal-entry.ts'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { openLink } from './link.ts'

const TOKEN = 'a-token-of-the-tests'
const SKEWED = path.resolve(import.meta.dirname, '../support/skewed-date.ts')

test('kill -9, journal deleted, clock set back by minutes: the later write wins', {
  timeout: 120_000,
}, async ({ onTestFinished }) => {
  const folder = await temporaryFolder('disk-loss')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const link = await openLink(database.url)
  onTestFinished(() => link.close())
  const home = path.join(folder, 'home')
  const start = async (skewMs: number) => {
    const node = await startNodeProcess(
      {
        DATABASE_URL: link.url,
        REDIS_URL: '',
        ROOTSTREAM_HOME: home,
        ROOTSTREAM_NODE: 'a',
        ROOTSTREAM_HTTP_PORT: '0',
        ROOTSTREAM_TOKEN: TOKEN,
        ROOTSTREAM_CLOCK_LEASE_MINUTES: '10',
        LOG_LEVEL: 'error',
        ROOTSTREAM_CLOCK_SKEW_MS: String(skewMs),
      },
      { nodeArgs: ['--import', SKEWED] },
    )
    const client = new HttpClient(node.url, TOKEN, 4)
    onTestFinished(async () => {
      client.close()
      await node.kill()
    })
    return { node, client }
  }
  const journal = path.join(home, 'journal')
  const entriesOf = (dir: string) =>
    scan(readFileSync(path.join(dir, 'events.journal'))).payloads.flatMap(payload => parseEntries(payload) ?? [])

  const first = await start(4 * 60_000)
  const user = { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'hash' }
  const ada = (await first.client.command('/v1/actors/user', user, { key: 'ada' })).id
  const update = (of: typeof first, key: string, displayName: string) =>
    of.client.request('POST', `/v1/actors/user/${ada}/commands`, {
      body: { type: 'user.updated', displayName },
      headers: { 'idempotency-key': key },
    })
  link.cut()
  expect(await update(first, 'earlier', 'before the loss')).toMatchObject({ status: 202, body: { tentative: true } })
  await first.node.kill()
  const lost = path.join(folder, 'lost')
  await rename(journal, lost)
  const [before] = entriesOf(lost)

  link.mend()
  const second = await start(0)
  expect((await second.client.request('GET', `/v1/actors/user/${ada}`)).body).toMatchObject({ version: 1 })
  link.cut()
  expect(await update(second, 'later', 'after the loss')).toMatchObject({ status: 202, body: { tentative: true } })
  const [after] = entriesOf(journal)
  expect(after?.incarnation).toBeGreaterThan(before?.incarnation ?? 0)
  expect((after?.clock ?? '') > (before?.clock ?? '')).toBe(true)
  // After all that the first start could have accepted in its lease, known or not.
  expect(parseHybridTime(after?.clock ?? '')?.wall).toBeGreaterThan(Date.now() + 5 * 60_000)
  link.mend()
  await eventually(async () =>
    expect((await second.client.request('GET', '/health')).body).toMatchObject({
      components: { journal: { status: 'ok', detail: { away: false, pending: 0 } } },
    }),
  )
  await second.node.kill()

  // The disk turns up again.
  await rm(journal, { recursive: true })
  await rename(lost, journal)
  const third = await start(0)
  expect((await third.client.request('GET', `/v1/actors/user/${ada}`)).body).toMatchObject({
    context: { row: { display_name: 'after the loss' } },
  })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  onTestFinished(() => client.end())
  const { rows } = await client.query('select command_id from events where command_id is not null order by position')
  expect(rows.map(row => row.command_id)).toEqual(['ada', 'later', 'earlier'])
})
