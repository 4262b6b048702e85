/** Hostile input to every route for users, as the API document has them: a clear problem that repeats nothing, never a mistake of the node. */
import http from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { USER_ROUTES } from '../../src/http/route-permissions.ts'
import { PASSWORD, registerUser, showFactor, signIn } from '../support/accounts.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { placesIn, replaced, sampleOf } from './sample-input.ts'

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> }
}

const MARK = 's3cret-mark'
const log = createRecordingLog()
let runtime: TestRuntime
let document: { readonly paths: Record<string, Record<string, Operation>> }
let victim: number
let token: string

beforeAll(async () => {
  runtime = await startRuntime({ log })
  document = (await (await fetch(`${runtime.server.url}/openapi.json`)).json()) as typeof document
  await registerUser(runtime.node, 'root', ['admin'])
  victim = await registerUser(runtime.node, 'victim')
  await registerUser(runtime.node, 'bystander')
  token = await freshToken()
})
afterAll(() => runtime.stop())

async function freshToken(): Promise<string> {
  return (await showFactor(runtime.node, await signIn(runtime.node, 'root'))).token
}

const routes = Object.keys(USER_ROUTES).map(route => {
  const [method = '', path = ''] = route.split(' ')
  return { route, method, path }
})

function operationOf(method: string, path: string): Operation {
  const operation = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  return operation ?? expect.unreachable(`${method} ${path} is not in the document`)
}

function bodySchema(method: string, path: string) {
  return operationOf(method, path).requestBody?.content['application/json']?.schema
}

interface RawAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Sends bytes as they are. A session that the route itself has ended is followed by another one. */
async function send(
  method: string,
  path: string,
  content: string | Buffer = '',
  headers: http.OutgoingHttpHeaders = {},
): Promise<RawAnswer> {
  const once = () =>
    new Promise<RawAnswer>((resolve, reject) => {
      const request = http.request(
        runtime.server.url + path,
        {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(content.length === 0 ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
        },
        async response => {
          const type = response.headers['content-type'] ?? ''
          resolve({ status: response.statusCode ?? 0, type, text: await text(response) })
        },
      )
      request.on('error', reject)
      request.end(content)
    })
  const answer = await once()
  if (answer.status !== 401 || !answer.text.includes('invalid_session')) return answer
  token = await freshToken()
  return once()
}

function filled(path: string, id: string | number = victim): string {
  return path.replaceAll(/:\w+/g, String(id))
}

/** A refusal, which says what is wrong and nothing of what was sent. */
function expectRefused(answer: RawAnswer, what: string): void {
  expect(answer.status, `${what}: ${answer.text}`).toBeGreaterThanOrEqual(400)
  expectNoMistake(answer, what)
}

function expectNoMistake(answer: RawAnswer, what: string): void {
  expect(answer.status, `${what}: ${answer.text}`).toBeLessThan(500)
  if (answer.status >= 400) expect(answer.type, what).toBe('application/problem+json; charset=utf-8')
  expect(answer.text, what).not.toContain(MARK)
}

/** No object has any of this, whatever its route. */
const BODIES: readonly (readonly [string, string | Buffer])[] = [
  ['no JSON', `{"login":"${MARK}`],
  ['a text', `"${MARK}"`],
  ['a list', `["${MARK}"]`],
  ['null', 'null'],
  ['a number', '1e400'],
  ['no UTF-8', Buffer.concat([Buffer.from('{"login":"'), Buffer.from([0xff]), Buffer.from('"}')])],
  ['__proto__', `{"__proto__":{"roles":["admin"],"a":"${MARK}"}}`],
  ['constructor', '{"constructor":{"prototype":{"roles":["admin"]}}}'],
  ['a key twice', `{"roles":["viewer"],"roles":["admin"],"login":"${MARK}"}`],
  ['5,000 levels', `{"login":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
  ['an unknown field', `{"isAdmin":"${MARK}"}`],
  ['5 MB', `{"login":"${MARK.repeat(500_000)}"}`],
  ['a NUL in a key', '{"a\\u0000b":1}'],
  ['a lone surrogate in a key', '{"\\udfff":1}'],
]

/** What no text of ours may be. */
const NO_TEXTS: readonly (readonly [string, unknown])[] = [
  ['a number', 5],
  ['a large number', 2 ** 60],
  ['a list', [MARK]],
  ['an object', { toString: MARK }],
  ['true', true],
  ['100 kB', MARK.repeat(9_000)],
]

/** Texts that mean something to somebody behind us; whether they are taken is for the route to say. */
const TEXTS: readonly (readonly [string, string])[] = [
  ['SQL', `'; drop table users; -- ${MARK}`],
  ['SQL in quotes', `" or 1=1; select pg_sleep(9) -- ${MARK}`],
  ['a placeholder', `$1 ${MARK}`],
  ['line breaks', `${MARK}\r\n{"level":"error","msg":"forged"}\r\nSet-Cookie: a=b`],
  ['a NUL', `${MARK}\u0000`],
  ['a lone surrogate', `${MARK}\ud800`],
  ['writing from right to left', `\u202e${MARK}`],
  ['letters that grow and shrink', `İ\u212a\uff11\ufb03${MARK}`],
  ['a path', `../../etc/passwd\u2028${MARK}`],
  ['a template', `\${process.env.DATABASE_URL}{{7*7}}${MARK}`],
  ['spaces alone', ' \t\u00a0'],
  ['nothing', ''],
]

describe.each(routes)('$route', ({ method, path }) => {
  test('bodies', async () => {
    if (bodySchema(method, path) === undefined) return
    for (const [what, content] of BODIES) expectRefused(await send(method, filled(path), content), what)
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ';;'])
      expectRefused(await send(method, filled(path), `login=${MARK}`, { 'content-type': type }), type)
  })

  test('each field', async () => {
    const schema = bodySchema(method, path)
    if (schema === undefined) return
    const sample = sampleOf(schema, document)
    const places = placesIn(sample)
    expect(places.length).toBeGreaterThan(0)
    for (const { path: place, value } of places) {
      const where = `${place.join('.')}`
      const put = (by: unknown) => send(method, filled(path), JSON.stringify(replaced(sample, place, by)))
      if (typeof value === 'string')
        for (const [what, by] of NO_TEXTS) expectRefused(await put(by), `${where}: ${what}`)
      for (const [what, by] of TEXTS) {
        const answer = await put(by)
        if (typeof value === 'string') expectNoMistake(answer, `${where}: ${what}`)
        else expectRefused(answer, `${where}: ${what}`)
        if (by.includes('\u0000') || !by.isWellFormed()) expectRefused(answer, `${where}: ${what}`)
      }
      if (typeof value === 'number')
        for (const number of ['1e400', '-1', '1.5', '9007199254740993', '2147483648', '"1"']) {
          const text = JSON.stringify(replaced(sample, place, MARK)).replace(`"${MARK}"`, number)
          expectRefused(await send(method, filled(path), text), `${where}: ${number}`)
        }
    }
  })

  test('ids and queries', async () => {
    if (path.includes(':')) {
      const ids = [
        '0',
        '-1',
        '1.5',
        '1e3',
        '01',
        '+1',
        '0x1',
        '9007199254740993',
        '2147483648',
        '%D9%A3',
        '%00',
        '1%2F2',
      ]
      for (const id of [...ids, `${victim}%27%20or%201=1`, `${MARK}`, '__proto__', '%ed%a0%80', 'x'.repeat(3_000)])
        expectRefused(await send(method, filled(path, id), method === 'POST' ? '{}' : ''), `the id ${id}`)
    }
    if (method !== 'GET') return
    const queries = (operationOf(method, path).parameters ?? []).filter(parameter => parameter.in === 'query')
    for (const { name } of queries)
      for (const value of ['-1', '1e3', '9007199254740993', '1%00', `${MARK}`, '1&limit=1&limit=2', "1'--"])
        expectRefused(await send(method, `${filled(path)}?${name}=${value}`), `${name}=${value}`)
    if (queries.length > 0) expectRefused(await send(method, `${filled(path)}?__proto__=1`), '__proto__')
  })

  test('tokens and cookies that are none', async () => {
    const asked = !['anyone', 'route'].includes(USER_ROUTES[`${method} ${path}`] ?? 'session')
    const body =
      bodySchema(method, path) === undefined ? '' : JSON.stringify(sampleOf(bodySchema(method, path) ?? {}, document))
    const [, id = '', secret = ''] = /^rss_(\d+)_(.*)$/.exec(token) ?? []
    for (const shown of [
      `rss_${id}_${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`,
      `rss_0${id}_${secret}`,
      `rss_${id}_${secret}=`,
      `RSS_${id}_${secret}`,
      `rsr_${id}_${secret}`,
      `rss_99999999999999999999_${secret}`,
      `rss_1'--_${secret}`,
      'x'.repeat(5_000),
    ])
      for (const headers of [
        { authorization: `Bearer ${shown}` },
        { authorization: '', cookie: `__Host-rootstream-session=${shown}` },
      ]) {
        const answer = await fetchOnce(method, filled(path), body, headers)
        expectNoMistake(answer, shown)
        if (asked) expect(answer.status, `${shown}: ${answer.text}`).toBeGreaterThanOrEqual(400)
      }
  })
})

/** Without a second try under another session. */
async function fetchOnce(
  method: string,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<RawAnswer> {
  const answer = await fetch(runtime.server.url + path, {
    method,
    headers: { ...(body === '' ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === '' ? {} : { body }),
  })
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() }
}

test.each(['unknown', '', 'fe80::1%eth0', '1.2.3.4/24', '::ffff:1.2.3.4', '1.2.3.4, 5.6.7.8', `${MARK}`, "1.2.3.4'--"])(
  'X-Forwarded-For: %s from whoever is no proxy says nothing',
  async address => {
    const headers = { 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address }
    const body = JSON.stringify({ login: 'bystander', password: PASSWORD })
    const answer = await fetchOnce('POST', '/api/auth/login', body, headers)
    expect(answer.status, answer.text).toBe(200)
    const { sessionId } = JSON.parse(answer.text) as { sessionId: number }
    const { context } = await runtime.node.actor('session', sessionId).state()
    expect(context).toMatchObject({ row: { ip_address: '127.0.0.1' } })
  },
)

test.each([
  ['a folded header', `user-agent: a\r\n b\r\n`],
  ['a bare line feed', `user-agent: a\nx-user-id: 1\n\r\n`],
  ['a NUL', `user-agent: a\u0000b\r\n`],
  ['a header without a name', `: a\r\n`],
  ['two lengths', `content-length: 2\r\ncontent-length: 3\r\n`],
])('%s is no request', async (_, lines) => {
  const { port } = new URL(runtime.server.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.end(`GET /api/auth/verify HTTP/1.1\r\nhost: x\r\n${lines}connection: close\r\n\r\n`)
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 4\d\d /)
})

test('after all of it the node is well, nobody was made an administrator, and no log line tells of what was sent', async () => {
  expect(await runtime.node.health()).toMatchObject({ status: 'ok' })
  expect(Object.prototype).not.toHaveProperty('roles')
  const { users } = await runtime.node.accounts.administration.list(0, 100)
  expect(users.filter(({ roles }) => roles.includes('admin')).map(({ username }) => username)).toContain('root')
  expect(JSON.stringify(log.lines)).not.toContain(MARK)
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([])
})
