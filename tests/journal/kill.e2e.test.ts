/** A node is killed on the way of a command into the journal, and from there into the log: what it answered is never lost, and nothing is doubled. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OUTAGE_FAULT_POINTS } from '../../src/core/fault-point.ts'
import { startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { HttpClient } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { openLink } from './link.ts'

const TOKEN = 'a-token-of-the-tests'
type OutageFaultPoint = (typeof OUTAGE_FAULT_POINTS)[number]

/** At which of its hits each point ends the node. */
const KILLS: Record<OutageFaultPoint, readonly number[]> = {
  'journal.written': [1, 3],
  'journal.synced': [1, 3],
  'actor.before-tentative-answer': [2, 5],
  'journal.draining': [1, 4],
  'journal.appended': [1, 3],
  'journal.drained': [1, 5],
}

const hit = new Set<string>()
let folder: string
beforeAll(async () => {
  folder = await temporaryFolder('outage-kill')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const faults = OUTAGE_FAULT_POINTS.flatMap(point => KILLS[point].map(count => `${point}@${count}`))

describe.concurrent('a node killed', () => {
  test.for(faults)('at %s', async (fault, { onTestFinished }) => {
    const database = await createTestDatabase()
    onTestFinished(() => database.drop())
    const link = await openLink(database.url)
    onTestFinished(() => link.close())
    const start = async (ROOTSTREAM_FAULT: string) => {
      const node = await startNodeProcess(
        {
          DATABASE_URL: link.url,
          REDIS_URL: '',
          ROOTSTREAM_HOME: path.join(folder, fault),
          ROOTSTREAM_HTTP_PORT: '0',
          ROOTSTREAM_TOKEN: TOKEN,
          LOG_LEVEL: 'error',
          ROOTSTREAM_FAULT,
        },
        { nodeArgs: ['--conditions=fault-points'] },
      )
      const client = new HttpClient(node.url, TOKEN, 8)
      onTestFinished(async () => {
        client.close()
        await node.kill()
      })
      return { node, client }
    }

    const first = await start(fault)
    const user = { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'hash' }
    const ada = (await first.client.command('/v1/actors/user', user, { key: 'ada' })).id
    const expiresAt = '2099-01-01T00:00:00Z'
    const created = { type: 'session.created', userId: ada, tokenHash: 'token', expiresAt }
    const session = (await first.client.command('/v1/actors/session', created, { key: 'session' })).id
    const commands: Readonly<Record<string, readonly [path: string, event: object]>> = {
      name: [`/v1/actors/user/${ada}/commands`, { type: 'user.updated', displayName: 'Ada L.' }],
      picture: [`/v1/actors/user/${ada}/commands`, { type: 'user.updated', avatarUrl: 'https://example.org/a' }],
      touch: [`/v1/actors/session/${session}/commands`, { type: 'session.touched', ipAddress: '192.0.2.1' }],
      revoke: [`/v1/actors/session/${session}/commands`, { type: 'session.revoked' }],
      title: [`/v1/actors/user/${ada}/commands`, { type: 'user.updated', displayName: 'Countess' }],
    }
    link.cut()
    const taken: string[] = []
    for (const [key, [to, body]] of Object.entries(commands)) {
      const headers = { 'idempotency-key': key }
      const answer = await first.client.request('POST', to, { body, headers }).catch((error: Error) => error)
      // Killed: what comes after it is not sent.
      if (answer instanceof Error) break
      expect(answer).toMatchObject({ status: 202, body: { tentative: true } })
      taken.push(key)
    }
    link.mend()
    const { signal, stderr } = await first.node.ended
    expect({ signal, stderr }).toEqual({
      signal: 'SIGKILL',
      stderr: expect.stringContaining(`killed at ${fault.split('@')[0]}`),
    })
    hit.add(fault)

    const second = await start('')
    // Before anything is sent again: what was answered is in the log.
    expect(await written(database.url)).toEqual(expect.arrayContaining(taken))
    for (const [key, [to, event]] of Object.entries(commands)) await second.client.command(to, event, { key })
    expect((await written(database.url)).sort()).toEqual(Object.keys(commands).sort())
    const state = async (of: string) => (await second.client.request('GET', `/v1/actors/${of}`)).body
    expect(await state(`session/${session}`)).toMatchObject({ state: 'revoked', version: 3 })
    expect(await state(`user/${ada}`)).toMatchObject({
      version: 4,
      context: { row: { display_name: 'Countess', avatar_url: 'https://example.org/a' } },
    })
    expect((await second.client.request('GET', '/health')).body).toMatchObject({
      components: { journal: { status: 'ok', detail: { pending: 0 } } },
    })
  })
})

test('every point was hit', () => {
  expect([...hit].sort()).toEqual([...faults].sort())
})

/** The commands of this test that the log has, by their ids, each as often as it is there. */
async function written(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ type: string; command_id: string }>(
      "select type, command_id from events where type not in ('user.registered', 'session.created') order by position",
    )
    return rows.map(row => row.command_id)
  } finally {
    await client.end()
  }
}
