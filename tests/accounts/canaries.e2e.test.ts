/** Secrets of accounts are searched for wherever a real node writes or tells anything: no password, token or code is found. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import http, { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { issueToken } from '../../src/auth/token.ts'
import { type NodeProcess, runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { databaseFiles, databaseText, textsOfFiles } from '../support/database-text.ts'
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts'
import type { Answer } from '../support/http-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'
import { CANARY_FLOWS, type CanaryWorld } from './canary-flows.ts'

const TOKEN = 'canary-token-of-the-node'
/** No secret: shows that a place was filled, and that a search there finds something. */
const KNOWN = 'ada@example.org'

let database: TestDatabase
let redis: PrivateRedis
let proxy: FaultProxy
let folder: string
let node: NodeProcess
let collector: Awaited<ReturnType<typeof startSink>>
let monitor: Awaited<ReturnType<typeof startMonitor>>

const secrets = new Map<string, string>([[TOKEN, 'the token of the node']])
/** What was told, by where. */
const told: Record<string, string[]> = { answers: [], commandLine: [] }

beforeAll(async () => {
  database = await createTestDatabase()
  redis = await startPrivateRedis()
  proxy = await openFaultProxy(database.url)
  collector = await startSink()
  folder = await temporaryFolder('canaries')
  monitor = await startMonitor(redis.port)
  node = await startNodeProcess({
    ...environment(proxy.via(database.url)),
    ROOTSTREAM_HTTP_PORT: '0',
    ROOTSTREAM_TOKEN: TOKEN,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  })
})
afterAll(async () => {
  await node.kill()
  await monitor.stop()
  await collector.close()
  await proxy.close()
  await redis.stop()
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

function environment(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    ROOTSTREAM_HOME: path.join(folder, 'home'),
    LOG_LEVEL: 'debug',
  }
}

/** What the collector of traces is sent. */
async function startSink() {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    bodies.push(await text(request))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Everything that any client sends to Redis, frames included. */
async function startMonitor(port: number) {
  const child = spawn('redis-cli', ['-p', String(port), 'monitor'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const heard: string[] = []
  const ended = once(child, 'exit')
  child.stdout.on('data', chunk => heard.push(String(chunk)))
  await once(child.stdout, 'data')
  return {
    heard,
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

function ask(
  method: string,
  address: string,
  headers: Record<string, string>,
  body?: object,
): Promise<Answer & { text: string }> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const type: Record<string, string> = content === undefined ? {} : { 'content-type': 'application/json' }
    const request = http.request(node.url + address, { method, headers: { ...type, ...headers } }, async response => {
      const answer = await text(response)
      const isJson = /json/.test(response.headers['content-type'] ?? '')
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: isJson && answer !== '' ? JSON.parse(answer) : null,
        text: answer,
      })
    })
    request.on('error', reject)
    request.end(content)
  })
}

let made = 0
const world: CanaryWorld = {
  known: new Map(),
  keep: secret => {
    secrets.set(secret, 'a token or code')
    return secret
  },
  password: () => {
    const password = `canary-password-${++made}-Zq8`
    secrets.set(password, 'a password')
    return password
  },
  request: async (method, address, { body, token, cookie } = {}) => {
    const headers = {
      // As a page of this very host has it.
      ...(cookie === undefined ? {} : { cookie, 'sec-fetch-site': 'same-origin' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    }
    const answer = await ask(method, address, headers, body)
    // What issues a secret tells it to its owner, once. Everything else must not.
    const issues = answer.status < 300 && method !== 'GET' && !address.startsWith('/api/users')
    told['answers']?.push(issues ? '' : JSON.stringify(answer.headers) + answer.text)
    return answer
  },
  commands: async (actor, events) => {
    const body = { commands: events.map(event => ({ actor, event })) }
    const { status, text } = await ask('POST', '/v1/commands', { authorization: `Bearer ${TOKEN}` }, body)
    if (status !== 200 || /"status":[45]/.test(text)) throw new Error(`not taken: ${status}`)
  },
  users: async (args, input) => {
    const result = await runCli(['users', ...args], environment(database.url), { input: `${input}\n` })
    told['commandLine']?.push(result.stdout, result.stderr)
    return result
  },
  factorShown: async shown => {
    const id = Number(shown.split('_')[1])
    const { token, hash } = issueToken('session', id)
    const body = { type: 'session.elevated', tokenHash: hash, method: 'totp' }
    const { status } = await ask(
      'POST',
      `/v1/actors/session/${id}/commands`,
      { authorization: `Bearer ${TOKEN}` },
      body,
    )
    if (status !== 200) throw new Error(`not elevated: ${status}`)
    return token
  },
}

/** Fails where any of the secrets is in one of the texts, plain or encoded. The message names the place and not the secret. */
function expectNoSecret(place: string, texts: readonly string[]): void {
  const all = texts.join('\n')
  const found = [...secrets].filter(([secret]) => spellings(secret).some(spelling => all.includes(spelling)))
  expect(
    found.map(([, kind]) => kind),
    place,
  ).toEqual([])
}

function spellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const inside = /^rs[srdt]_\d+_(.*)$/.exec(secret)?.[1]
  return [
    ...[secret, encodeURIComponent(secret), bytes.toString('hex')],
    ...[bytes.toString('base64').replace(/=*$/, ''), bytes.toString('base64url')],
    ...(inside === undefined ? [] : [inside]),
  ]
}

/** Types of the actors that have a snapshot. */
async function snapshotted(): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query<{ type: string }>('select distinct actor_type as type from actor_snapshots')
  await client.end()
  return rows.map(({ type }) => type).sort()
}

/** What the server's connections were last asked. */
async function statements(): Promise<string> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query<{ query: string }>('select query from pg_stat_activity where query is not null')
  await client.end()
  return rows.map(({ query }) => query).join('\n')
}

/** What the API tells whoever has the token of the node, of every actor there is. */
async function wholeApi(): Promise<readonly string[]> {
  const get = async (address: string) => (await ask('GET', address, { authorization: `Bearer ${TOKEN}` })).text
  const texts = await Promise.all(['/metrics', '/health', '/ready', '/v1/audit?limit=1000', '/v1/projections'].map(get))
  for (const type of ['user', 'session', 'factor', 'ticket', 'mfa-attempt', 'trusted-device']) {
    const { actors } = JSON.parse(await get(`/v1/actors?type=${type}&limit=1000`)) as { actors: { id: number }[] }
    for (const { id } of actors)
      for (const what of ['', '/snapshot', '/events', '/delta?since=0'])
        texts.push(await get(`/v1/actors/${type}/${id}${what}`))
  }
  return texts
}

test.each(CANARY_FLOWS)('$name', async ({ run }) => {
  await run(world)
})

test('no secret is in the database, the frames, the API, the command line or the answers', async () => {
  expect(secrets.size).toBeGreaterThan(60)
  await eventually(async () =>
    expect(await snapshotted()).toEqual(expect.arrayContaining(['factor', 'session', 'user'])),
  )
  // Rows are what a dump holds, and files, dead rows and indexes included, what a copy of the server holds.
  const [rows, files] = [await databaseText(database.url), await databaseFiles(database.url)]
  const api = await wholeApi()
  const places = { dump: [rows, await statements()], copy: files, redis: monitor.heard, api, ...told }
  for (const [place, texts] of Object.entries(places)) {
    if (place !== 'answers') expect(texts.join('\n'), place).toContain(place === 'redis' ? 'user.registered' : KNOWN)
    expectNoSecret(place, texts)
  }
  // Nor does anything that says who somebody is go over Redis in the clear.
  expect(monitor.heard.join('\n')).not.toContain(KNOWN)
  // Hashes are in the log, and leave the node in no answer.
  expect(rows).toContain('$argon2id$')
  expect(api.join('\n')).not.toContain('$argon2id$')
})

test('nor in the journal, while Postgres is away', async () => {
  const id = world.known.get('id')
  proxy.cut()
  try {
    const body = { type: 'user.updated', displayName: KNOWN }
    const answer = await ask('POST', `/v1/actors/user/${id}/commands`, { authorization: `Bearer ${TOKEN}` }, body)
    expect(answer.status).toBe(202)
    const files = textsOfFiles(path.join(folder, 'home'), name => name !== 'token')
    expect(files.join('\n')).toContain(KNOWN)
    expectNoSecret('home', files)
  } finally {
    proxy.heal()
  }
})

test('nor in the log of the node, or its traces', async () => {
  await vi.waitFor(async () => expect((await ask('GET', '/ready', {})).status).toBe(200), {
    timeout: 60_000,
    interval: 200,
  })
  expect(await node.stop()).toBe(0)
  const { stderr } = await node.ended
  expect(stderr.split('\n').length).toBeGreaterThan(1)
  expectNoSecret('log', [stderr, JSON.stringify(node.ready)])
  expect(collector.bodies.join('\n')).toContain('user.login.recorded')
  expectNoSecret('traces', collector.bodies)
})

test('and the search would find one in any of its spellings', () => {
  const [secret = ''] = secrets.keys()
  for (const spelling of spellings(secret)) expect(() => expectNoSecret('planted', [`x${spelling}y`])).toThrow()
})
