/** Nodes of one log whose clocks are two minutes apart: nothing is taken twice, nothing fails, and sessions hold on both. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createInProcessHub, createNode, type RuntimeNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { createStillClock, STEP_MS } from './still-clock.ts'

const DRIFT_MS = 120_000

describe.each([
  ['ahead', DRIFT_MS],
  ['behind', -DRIFT_MS],
])('a node that is two minutes %s', (name, drift) => {
  const clock = createStillClock()
  const skewed = { after: clock.after, now: () => clock.now() + drift }
  let database: TestDatabase
  let node: RuntimeNode
  let drifted: RuntimeNode
  beforeAll(async () => {
    database = await createTestDatabase()
    const options = { database: database.url, keys: TEST_KEYS, log: silentLogger, hub: createInProcessHub() }
    node = await createNode({ ...options, name: 'right', clock })
    drifted = await createNode({ ...options, name: 'drifted', clock: skewed })
  })
  afterAll(async () => {
    await Promise.all([node.close(), drifted.close()])
    await database.drop()
  })

  async function registered(username: string) {
    granted(await node.accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
    return granted(await node.accounts.login({ login: username, password: PASSWORD, remember: true }))
  }

  test('takes the sessions of the other, exchanges their tokens, and ends them', async () => {
    const session = await registered(`eve-${name}`)
    const here = granted(await drifted.accounts.login({ login: `eve-${name}`, password: PASSWORD }))
    for (const at of [node, drifted])
      for (const { token } of [session, here])
        await eventually(async () => expect(await at.accounts.validate(token)).toMatchObject({ ok: true }))
    const next = granted(await drifted.accounts.refresh({ token: session.token }))
    await eventually(async () => expect(await node.accounts.validate(next.token)).toMatchObject({ ok: true }))
    const again = granted(await node.accounts.refresh({ token: next.token }))
    expect(await drifted.accounts.refresh({ token: again.token })).toMatchObject({ ok: true })
    await drifted.accounts.endSessions(session.userId, 'asked')
    for (const at of [node, drifted])
      for (const token of [again.token, here.token])
        await eventually(async () => expect(await at.accounts.validate(token)).toMatchObject({ ok: false }))
  })

  test('takes no code that was used on the other, nor the other one of its own, and neither fails', async () => {
    const { token } = await registered(`ada-${name}`)
    const { secret } = granted(await node.accounts.enrolTotp(token))
    const app = granted(await node.accounts.confirmTotp(token, codeOf(secret, clock.now())))
    clock.moveOn(STEP_MS)
    const pending = async (at: RuntimeNode) => {
      const login = granted(await at.accounts.login({ login: `ada-${name}`, password: PASSWORD }))
      expect(login).toMatchObject({ pending: true })
      return login.token
    }
    const show = async (at: RuntimeNode, code: string) =>
      (await at.accounts.verifyFactor(await pending(at), { method: 'totp', code })).ok

    // A phone that goes with this node is two minutes off for the other.
    const code = codeOf(secret, clock.now())
    expect(await show(drifted, code)).toBe(false)
    expect(await show(node, code)).toBe(true)
    for (const at of [node, drifted]) expect(await show(at, code)).toBe(false)
    const theirs = codeOf(secret, skewed.now())
    expect(await show(node, theirs)).toBe(false)
    // Of a clock that is ahead it is a later step; of one that is behind, an older one than was used.
    expect(await show(drifted, theirs)).toBe(drift > 0)
    for (const at of [node, drifted]) expect(await show(at, theirs)).toBe(false)

    // After the step that was used last there are codes again, on the node whose clock is right.
    for (let steps = 0; steps < 5; steps++) clock.moveOn(STEP_MS)
    expect(await show(node, codeOf(secret, clock.now()))).toBe(true)
    expect(await drifted.accounts.validate(app.token)).toMatchObject({ ok: true })
  })

  test('holds a factor shown on the other for fresh as long as it is, give or take what they are apart', async () => {
    const { token, sessionId } = await registered(`bob-${name}`)
    const { secret } = granted(await node.accounts.enrolTotp(token))
    const { token: open } = granted(await node.accounts.confirmTotp(token, codeOf(secret, clock.now())))
    const fresh = async (at: RuntimeNode) => {
      const session = granted(await at.accounts.validate(open))
      expect(session.sessionId).toBe(sessionId)
      return (await at.accounts.requireFresh(session)) === undefined
    }
    await eventually(async () => expect([await fresh(node), await fresh(drifted)]).toEqual([true, true]))
    clock.moveOn(node.accounts.settings.stepUpMs + DRIFT_MS + 1)
    expect([await fresh(node), await fresh(drifted)]).toEqual([false, false])
  })

  test('keeps no session for longer than the two are apart', async () => {
    const { token, rememberToken, rememberedUntil } = {
      rememberToken: '',
      rememberedUntil: '',
      ...(await registered(`cleo-${name}`)),
    }
    const here = granted(await drifted.accounts.login({ login: `cleo-${name}`, password: PASSWORD }))
    clock.moveOn(node.accounts.settings.absoluteMs + DRIFT_MS + 1)
    for (const at of [node, drifted])
      for (const over of [token, here.token])
        expect(await at.accounts.validate(over)).toMatchObject({ reason: 'invalid_session' })
    granted(await drifted.accounts.refresh({ rememberToken }))
    clock.moveOn(Date.parse(rememberedUntil) - clock.now() + DRIFT_MS + 1)
    for (const at of [node, drifted])
      expect(await at.accounts.refresh({ rememberToken })).toMatchObject({ reason: 'invalid_session' })
  })
})
