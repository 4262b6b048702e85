/** Everything a user does with secrets, over HTTP and from the command line. A flow that is missing is one entry of the list. */
import type { Answer } from '../support/http-client.ts'

/** A node and those who use it. Each secret that is sent or received has to be kept, so that it is searched for. */
export interface CanaryWorld {
  /** A password of its own, which is kept. */
  password(): string
  /** Keeps a secret the node gave, or one a flow made up; answers it. */
  keep(secret: string): string
  request(method: string, path: string, options?: { body?: object; token?: string; cookie?: string }): Promise<Answer>
  /** Runs `rootstream users …`. */
  users(args: readonly string[], input: string): Promise<{ readonly code: number | null; readonly stdout: string }>
  /** Where a factor was shown with the session of this token: the new one. */
  factorShown(token: string): Promise<string>
  /** What flows tell the ones after them. */
  readonly known: Map<string, string>
}

export interface CanaryFlow {
  readonly name: string
  run(world: CanaryWorld): Promise<void>
}

/** In their order. */
export const CANARY_FLOWS: readonly CanaryFlow[] = [
  { name: 'an account is opened from the command line', run: createAccount },
  { name: 'a login, by bearer token', run: loginWithToken },
  { name: 'a login, by cookie', run: loginWithCookie },
  { name: 'logins that fail', run: failLogins },
  { name: 'tokens that open nothing', run: showWrongTokens },
  { name: 'bodies that are refused', run: sendRefusedBodies },
  { name: 'an administrator at work', run: administer },
  { name: 'a logout', run: logout },
]

async function createAccount({ users, password, known }: CanaryWorld): Promise<void> {
  const chosen = password()
  const created = await users(['create', 'ada', '--email', 'ada@example.org', '--role', 'admin', '--json'], chosen)
  if (created.code !== 0) throw new Error('no account')
  known.set('password', chosen).set('id', String((JSON.parse(created.stdout) as { id: number }).id))
}

async function loginWithToken({ request, keep, known }: CanaryWorld): Promise<void> {
  const body = { login: 'ada', password: known.get('password') }
  const opened = expectStatus(200, await request('POST', '/api/auth/login', { body }))
  const token = keep(String(opened['token']))
  known.set('token', token)
  expectStatus(200, await request('GET', '/api/auth/verify', { token }))
}

async function loginWithCookie({ request, keep, known }: CanaryWorld): Promise<void> {
  const body = { login: 'ada@example.org', password: known.get('password'), cookie: true }
  const answer = await request('POST', '/api/auth/login', { body })
  expectStatus(200, answer)
  const [cookie = ''] = String(answer.headers['set-cookie']).split(';')
  keep(cookie.slice(cookie.indexOf('=') + 1))
  expectStatus(200, await request('GET', '/api/auth/verify', { cookie }))
}

async function failLogins({ request, password }: CanaryWorld): Promise<void> {
  for (const login of ['ada', 'nobody', 'ada@example.org'])
    expectStatus(401, await request('POST', '/api/auth/login', { body: { login, password: password() } }))
}

async function showWrongTokens({ request, keep, known }: CanaryWorld): Promise<void> {
  const right = known.get('token') ?? ''
  for (const token of [keep(`${right.slice(0, -3)}AAA`), keep(`rsr${right.slice(3)}`), keep(`${right}x`)]) {
    expectStatus(401, await request('GET', '/api/auth/verify', { token }))
    expectStatus(401, await request('GET', '/api/auth/verify', { cookie: `__Host-rootstream-session=${token}` }))
  }
}

async function sendRefusedBodies({ request, password, known }: CanaryWorld): Promise<void> {
  const token = known.get('token') ?? ''
  for (const body of [
    { login: 'ada', password: [password()] },
    { login: 'ada', password: `${password()}\u0000` },
    { login: 'ada', password: password(), roles: [password()] },
    { login: { password: password() } },
    { login: 'ada', password: password().padEnd(2_000, 'x') },
  ])
    expectStatus(400, await request('POST', '/api/auth/login', { body, token }))
}

async function administer({ request, factorShown, users, password, keep, known }: CanaryWorld): Promise<void> {
  const token = keep(await factorShown(known.get('token') ?? ''))
  known.set('token', token)
  const chosen = password()
  const created = await users(['create', 'bob', '--email', 'bob@example.org', '--json'], chosen)
  const { id } = JSON.parse(created.stdout) as { id: number }
  const opened = expectStatus(
    200,
    await request('POST', '/api/auth/login', { body: { login: 'bob', password: chosen } }),
  )
  keep(String(opened['token']))
  expectStatus(200, await request('GET', '/api/users', { token }))
  expectStatus(200, await request('GET', `/api/users/${id}`, { token }))
  for (const [path, body] of [
    ['session-limit', { limit: 1 }],
    ['roles', { roles: ['operator'] }],
    ['sessions/revoke', {}],
    ['deactivate', { reason: 'asked' }],
  ] as const)
    expectStatus(200, await request('POST', `/api/users/${id}/${path}`, { token, body }))
  expectStatus(401, await request('GET', '/api/auth/verify', { token: String(opened['token']) }))
}

async function logout({ request, known }: CanaryWorld): Promise<void> {
  expectStatus(204, await request('POST', '/api/auth/logout', { token: known.get('token') ?? '' }))
}

/** The body. Throws without it where the status is another: it may hold a secret. */
export function expectStatus(status: number, answer: Answer): Record<string, unknown> {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}`)
  return (answer.body ?? {}) as Record<string, unknown>
}
