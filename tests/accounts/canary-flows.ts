/** Everything a user does with secrets, over HTTP and from the command line. A flow that is missing is one entry of the list. */
import type { Answer } from '../support/http-client.ts'
import { codeOf } from './granted.ts'

/** A node and those who use it. Each secret that is sent or received has to be kept, so that it is searched for. */
export interface CanaryWorld {
  /** A password of its own, which is kept. */
  password(): string
  /** Keeps a secret the node gave, or one a flow made up; answers it. */
  keep(secret: string): string
  request(method: string, path: string, options?: { body?: object; token?: string; cookie?: string }): Promise<Answer>
  /** Sends commands to an actor with the token of the node. */
  commands(actor: string, events: readonly object[]): Promise<void>
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
  { name: 'a session that is remembered, and tokens that are exchanged', run: remember },
  { name: 'a second factor, backup codes and a trusted device', run: showFactors },
  { name: 'tokens of mails that nobody sent', run: showWrongTickets },
  { name: 'actors with so many events that they have snapshots', run: growUp },
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

async function remember({ request, keep, known }: CanaryWorld): Promise<void> {
  const body = { login: 'ada', password: known.get('password'), remember: true }
  const opened = expectStatus(200, await request('POST', '/api/auth/login', { body }))
  const token = keep(String(opened['token']))
  const rememberToken = keep(String(opened['rememberToken']))
  const next = expectStatus(200, await request('POST', '/api/auth/refresh', { body: {}, token }))
  keep(String(next['token']))
  const resumed = expectStatus(200, await request('POST', '/api/auth/refresh', { body: { rememberToken } }))
  keep(String(resumed['rememberToken']))
  expectStatus(200, await request('GET', '/api/sessions', { token: keep(String(resumed['token'])) }))
}

/** Codes of six digits are left out: any number may have as many in a row. */
async function showFactors({ request, users, password, keep, known }: CanaryWorld): Promise<void> {
  const chosen = password()
  const created = await users(['create', 'cleo', '--email', 'cleo@example.org', '--json'], chosen)
  known.set('userWithFactors', String((JSON.parse(created.stdout) as { id: number }).id))
  const login = async (more: object = {}) => {
    const body = { login: 'cleo', password: chosen, ...more }
    const opened = expectStatus(200, await request('POST', '/api/auth/login', { body }))
    return { opened, token: keep(String(opened['token'])) }
  }
  const { token } = await login()
  const enrolled = expectStatus(200, await request('POST', '/api/auth/mfa/totp/enrol', { body: {}, token }))
  const secret = keep(String(enrolled['secret']))
  const confirm = { body: { code: codeOf(secret, Date.now()) }, token }
  const confirmed = expectStatus(200, await request('POST', '/api/auth/mfa/totp/confirm', confirm))
  const open = keep(String(confirmed['token']))
  const codes = (confirmed['backupCodes'] as readonly string[]).map(keep)
  for (const code of codes) keep(code.replaceAll('-', ''))
  expectStatus(200, await request('GET', '/api/auth/mfa', { token: open }))

  const { token: pending } = await login()
  for (const code of [keep('canary code that is none'), keep(`${codes[1]}`.replace(/.$/, 'U'))])
    expectStatus(401, await request('POST', '/api/auth/mfa/verify', { body: { method: 'totp', code }, token: pending }))
  const show = { method: 'backup_codes', code: codes[0], trustDevice: 'canary of the owner' }
  const shown = expectStatus(200, await request('POST', '/api/auth/mfa/verify', { body: show, token: pending }))
  const { opened } = await login({ deviceToken: keep(String(shown['deviceToken'])) })
  keep(String(opened['deviceToken']))
  const fresh = keep(String(shown['token']))
  const replaced = expectStatus(200, await request('POST', '/api/auth/mfa/backup-codes', { token: fresh }))
  for (const code of (replaced['backupCodes'] as readonly string[]).map(keep)) keep(code.replaceAll('-', ''))
  expectStatus(200, await request('GET', '/api/auth/devices', { token: fresh }))
  known.set('sessionWithFactors', String(shown['sessionId']))
}

async function showWrongTickets({ request, password, keep }: CanaryWorld): Promise<void> {
  const token = keep(`rst_1_${'Canary'.repeat(7)}A`)
  const complete = { token, password: password() }
  expectStatus(422, await request('POST', '/api/auth/recover/complete', { body: complete }))
  expectStatus(422, await request('POST', '/api/auth/email/verify', { body: { token } }))
}

async function growUp({ request, commands, known }: CanaryWorld): Promise<void> {
  const many = (event: object, count = 100) => Array.from({ length: count }, () => event)
  await commands(`user/${known.get('userWithFactors')}`, many({ type: 'user.updated', displayName: 'ada@example.org' }))
  await commands(`session/${known.get('sessionWithFactors')}`, many({ type: 'session.touched' }))
  // The app, which was enrolled first.
  await commands('factor/1', many({ type: 'factor.code.missed' }, 98))
  const token = known.get('token') ?? ''
  expectStatus(200, await request('GET', '/api/auth/verify', { token }))
}

async function logout({ request, known }: CanaryWorld): Promise<void> {
  expectStatus(204, await request('POST', '/api/auth/logout', { token: known.get('token') ?? '' }))
}

/** The body. Throws without it where the status is another: it may hold a secret. */
export function expectStatus(status: number, answer: Answer): Record<string, unknown> {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}`)
  return (answer.body ?? {}) as Record<string, unknown>
}
