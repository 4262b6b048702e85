/** Factors on a real log: enrolled, confirmed, shown, used up once over two nodes, replaced, removed, reset. */
import { generateSync } from 'otplib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createInProcessHub, createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const password = 'correct horse battery staple'

let database: TestDatabase
let node: RuntimeNode
let other: RuntimeNode
/** Both nodes tell the time by this, and tests move it on instead of waiting for the next code. */
let ahead = 0

beforeAll(async () => {
  database = await createTestDatabase()
  const clock = {
    now: () => Date.now() + ahead,
    after: (ms: number, callback: () => void) => {
      const timer = setTimeout(callback, ms)
      timer.unref()
      return () => clearTimeout(timer)
    },
  }
  const options = { database: database.url, log: silentLogger, hub: createInProcessHub(), clock }
  node = await createNode({ ...options, name: 'a' })
  other = await createNode({ ...options, name: 'b' })
})

afterAll(async () => {
  await Promise.all([node.close(), other.close()])
  await database.drop()
})

/** What a value is where it is no refusal. */
function granted<Answer extends { ok: boolean }>(answer: Answer): Extract<Answer, { ok: true }> {
  if (!answer.ok) expect.unreachable(JSON.stringify(answer))
  return answer as Extract<Answer, { ok: true }>
}

const codeAt = (secret: string, steps = 0) =>
  generateSync({ secret, epoch: Math.floor((Date.now() + ahead) / 1_000) + steps * 30 })
const nextStep = () => {
  ahead += 30_000
}

async function registered(username: string) {
  granted(await node.accounts.register({ username, email: `${username}@example.org`, password }))
  return granted(await node.accounts.login({ login: username, password }))
}

async function enrolled(username: string) {
  const session = await registered(username)
  const { secret, uri } = granted(await node.accounts.enrolTotp(session.token))
  const confirmed = granted(await node.accounts.confirmTotp(session.token, codeAt(secret)))
  nextStep()
  return { ...confirmed, secret, uri }
}

async function pending(username: string, on = node) {
  const session = granted(await on.accounts.login({ login: username, password }))
  expect(session).toMatchObject({ pending: true })
  return session
}

describe('an authenticator app', () => {
  test('is enrolled, confirmed by a first code, and asked for at the next login', async () => {
    const { secret, backupCodes, userId, token } = await enrolled('ada')
    expect(backupCodes).toHaveLength(10)
    expect(await node.accounts.validate(token)).toMatchObject({ ok: true, methods: ['password', 'totp'] })
    const login = await pending('ada', other)
    expect(login).toMatchObject({ factors: ['totp', 'backup_codes'] })
    expect(await other.accounts.validate(login.token)).toMatchObject({ ok: false, reason: 'invalid_session' })
    const shown = granted(await other.accounts.verifyFactor(login.token, { method: 'totp', code: codeAt(secret) }))
    expect(shown.token).not.toBe(login.token)
    expect(await other.accounts.validate(login.token)).toMatchObject({ ok: false })
    await vi.waitFor(async () => expect(await node.accounts.validate(shown.token)).toMatchObject({ ok: true, userId }))
  })

  test('of which a code was used is asked again, on the other node too, and one that 20 show at once is taken once', async () => {
    const { secret } = await enrolled('bob')
    const code = codeAt(secret)
    const logins = await Promise.all(Array.from({ length: 20 }, (_, index) => pending('bob', index % 2 ? node : other)))
    // Two budgets, one for each node: what is tested here is the code.
    const answers = await Promise.all(
      logins.map(({ token }, index) =>
        (index % 2 ? node : other).accounts.verifyFactor(token, { method: 'totp', code }),
      ),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  })
})
