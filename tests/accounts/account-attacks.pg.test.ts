/** Ways around what accounts hold, tried on two nodes of one log. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import { type AccountsNodes, startAccountsNodes } from './accounts-nodes.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'

let nodes: AccountsNodes
beforeAll(async () => {
  nodes = await startAccountsNodes()
})
afterAll(() => nodes.stop())

const HOUR_MS = 3_600_000
const WRONG = 'wrong horse battery staple'

test('who is signed in frees no budget of an account whose name is their id', async () => {
  const { node } = nodes
  const thief = await nodes.registered('thief')
  await nodes.registered(String(thief.userId))
  // Past what counts as lately, so that the password is asked for, and is right.
  nodes.pass(10 * 60_000)
  const reasons: string[] = []
  for (let n = 0; n < 8; n++) {
    const answer = await node.accounts.login({ login: String(thief.userId), password: WRONG })
    reasons.push(answer.ok ? 'ok' : answer.reason)
    granted(await node.accounts.enrolTotp(thief.token, { password: PASSWORD }))
  }
  expect(reasons.filter(reason => reason === 'invalid_credentials')).toHaveLength(5)
  expect(reasons.at(-1)).toBe('too_many_attempts')
})

test('passwords shown by who is signed in share one budget, whatever they are shown for', async () => {
  const { node } = nodes
  const { token } = await nodes.registered('guessed')
  const session = granted(await node.accounts.validate(token))
  nodes.pass(10 * 60_000)
  const next = 'another horse, another battery'
  for (const shown of [
    await node.accounts.enrolTotp(token, { password: WRONG }),
    await node.accounts.changePassword(session, { current: WRONG, next }),
    await node.accounts.reauthenticate(token, WRONG),
    await node.accounts.changeEmail(token, { email: 'guessed2@example.org', password: WRONG }),
    await node.accounts.reauthenticate(token, WRONG),
  ])
    expect(shown).toMatchObject({ reason: 'invalid_credentials' })
  expect(await node.accounts.reauthenticate(token, PASSWORD)).toMatchObject({ reason: 'too_many_attempts' })
  expect(await node.accounts.enrolTotp(token, { password: PASSWORD })).toMatchObject({ reason: 'too_many_attempts' })
})

test('right passwords shown at once in many sessions are not refused for each other', async () => {
  const { node } = nodes
  const { userId } = await nodes.registered('many-tabs')
  const tabs = await Promise.all(Array.from({ length: 12 }, () => node.accounts.createSession(userId)))
  const shown = await Promise.all(tabs.map(tab => node.accounts.reauthenticate(granted(tab).token, PASSWORD)))
  expect(shown.filter(({ ok }) => ok)).toHaveLength(12)
})

describe('signing out', () => {
  async function remembered(username: string) {
    await nodes.registered(username)
    const session = granted(await nodes.node.accounts.login({ login: username, password: PASSWORD, remember: true }))
    return session.pending ? expect.unreachable('pending') : session
  }

  test.each(['the session token', 'the remember-me token', 'an older remember-me token'])(
    'by %s, a day after it was last used, leaves no copy of a remembered session behind',
    async how => {
      const { node, other } = nodes
      const first = await remembered(`leaving-${how.replaceAll(/[^a-z]/g, '')}`)
      const session = granted(await node.accounts.refresh({ rememberToken: first.rememberToken }))
      nodes.pass(25 * HOUR_MS)
      expect(await other.accounts.validate(session.token)).toMatchObject({ ok: false })
      if (how === 'the session token') await other.accounts.logout(session.token)
      else if (how === 'the remember-me token') await other.accounts.logout(undefined, session.rememberToken)
      else await other.accounts.logout(undefined, first.rememberToken)
      for (const at of [node, other])
        expect(await at.accounts.refresh({ rememberToken: session.rememberToken })).toMatchObject({
          reason: 'invalid_session',
        })
    },
  )

  test('by what is only like a token of the session ends nothing', async () => {
    const { node } = nodes
    const session = await remembered('staying')
    const { sessionId } = session
    const stranger = await remembered('stranger')
    const secret = stranger.token.split('_').slice(2).join('_')
    await node.accounts.logout(`rss_${sessionId}_${secret}`, `rsr_${sessionId}_${secret}_${secret}`)
    await node.accounts.logout('', '')
    expect(await node.accounts.validate(session.token)).toMatchObject({ ok: true })
    granted(await node.accounts.refresh({ rememberToken: session.rememberToken }))
  })

  test('by a token that this node has not heard of yet ends its session', async () => {
    const { node, other } = nodes
    const { token } = await nodes.registered('moving')
    await eventually(async () => granted(await other.accounts.validate(token)))
    const next = granted(await node.accounts.reauthenticate(token, PASSWORD))
    await other.accounts.logout(next.token)
    await eventually(async () => expect(await node.accounts.validate(next.token)).toMatchObject({ ok: false }))
  })
})

describe('a copied remember-me token opens nothing once its owner', () => {
  async function remembered(username: string) {
    const { userId } = await nodes.registered(username)
    const session = granted(await nodes.node.accounts.login({ login: username, password: PASSWORD, remember: true }))
    if (session.pending || session.rememberToken === undefined) return expect.unreachable('not remembered')
    return { userId, token: session.token, rememberToken: session.rememberToken }
  }
  const current = (secret: string, steps = 0) => codeOf(secret, Date.now() + nodes.ahead() + steps * 30_000)

  async function enrolled(token: string) {
    const { secret } = granted(await nodes.node.accounts.enrolTotp(token))
    return { secret, opened: granted(await nodes.node.accounts.confirmTotp(token, current(secret))) }
  }

  test.each<[string, (token: string) => Promise<{ token: string; rememberToken?: string }>]>([
    [
      'has changed the password',
      async token => {
        const session = granted(await nodes.node.accounts.validate(token))
        const next = 'another horse, another battery'
        return granted(await nodes.node.accounts.changePassword(session, { current: PASSWORD, next }))
      },
    ],
    ['has enrolled a factor', async token => (await enrolled(token)).opened],
    ['has shown the password again', async token => granted(await nodes.node.accounts.reauthenticate(token, PASSWORD))],
    [
      'has shown a factor again',
      async token => {
        const { secret, opened } = await enrolled(token)
        const shown = { method: 'totp', code: current(secret, 1) } as const
        return granted(await nodes.other.accounts.verifyFactor(opened.token, shown))
      },
    ],
  ])('%s', async (what, work) => {
    const { node, other } = nodes
    const copied = await remembered(`owner-${what.replaceAll(/[^a-z]/g, '')}`)
    const opened = await work(copied.token)
    expect(opened.rememberToken).toMatch(/^rsr_/)
    for (const at of [node, other]) {
      expect(await at.accounts.refresh({ rememberToken: copied.rememberToken })).toMatchObject({
        reason: 'invalid_session',
      })
      expect(await at.accounts.refresh({ token: copied.token })).toMatchObject({ reason: 'invalid_session' })
    }
    // What the thief tried ends nothing of the owner's.
    await eventually(async () => granted(await other.accounts.validate(opened.token)))
    granted(await other.accounts.refresh({ rememberToken: opened.rememberToken }))
  })
})

test('who has a second factor spends nothing of its attempts by showing the password in its place', async () => {
  const { node } = nodes
  const { token } = await nodes.registered('insisting')
  const { secret } = granted(await node.accounts.enrolTotp(token))
  const now = Date.now() + nodes.ahead()
  const app = granted(await node.accounts.confirmTotp(token, codeOf(secret, now)))
  for (let n = 0; n < 12; n++)
    expect(await node.accounts.reauthenticate(app.token, PASSWORD)).toMatchObject({ reason: 'factor_required' })
  granted(await node.accounts.verifyFactor(app.token, { method: 'totp', code: codeOf(secret, now + 30_000) }))
})

test('an administrator without a factor shown lately sets no password of others', async () => {
  const { node } = nodes
  const admin = await nodes.registered('root')
  const { userId } = await nodes.registered('subject')
  granted(await node.accounts.administration.setRoles(admin.userId, ['admin']))
  const { token } = granted(await node.accounts.login({ login: 'root', password: PASSWORD }))
  const set = async () => {
    const session = granted(await node.accounts.validate(token))
    return node.accounts.setPassword(userId, 'another horse, another battery', session)
  }
  expect(await set()).toMatchObject({ reason: 'factor_required' })
  granted(await node.accounts.login({ login: 'subject', password: PASSWORD }))
})
