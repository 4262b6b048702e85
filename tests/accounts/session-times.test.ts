/** How long a session lasts: by use, by its end, by clocks that are wrong, and what ends those that nobody ends. */
import { describe, expect, test } from 'vitest'
import type { OpenedSession } from '../../src/accounts/sessions.ts'
import type { RuntimeNode } from '../../src/index.ts'
import type { SessionContext } from '../../src/machines/session/machine.ts'
import { HOUR, MINUTE, startStage } from './memory-stage.ts'

const accounts = { idleMs: 10 * MINUTE, absoluteMs: HOUR }

describe('a session', () => {
  test('is over when it was not used for so long', async () => {
    const { clock, open, verdict } = await startStage({ accounts })
    const [used, unused] = [await open(), await open()]
    for (let minutes = 0; minutes < 16; minutes += 4) {
      clock.advance(4 * MINUTE)
      expect(await verdict(used.token)).toBe('valid')
    }
    expect(await verdict(unused.token)).toBe('invalid_session')
    clock.advance(10 * MINUTE)
    expect(await verdict(used.token)).toBe('valid')
    clock.advance(10 * MINUTE + 1)
    expect(await verdict(used.token)).toBe('invalid_session')
    expect(await verdict(used.token), 'asking is no use').toBe('invalid_session')
  })

  test('is over at its end, however busy; a timer tells the log', async () => {
    const { node, clock, open, verdict } = await startStage({ accounts })
    const { token, sessionId } = await open()
    for (let minutes = 0; minutes < 60; minutes += 6) {
      expect(await verdict(token)).toBe('valid')
      clock.advance(6 * MINUTE)
    }
    expect(await verdict(token)).toBe('invalid_session')
    const ended = async () => {
      clock.advance(1_000)
      return (await node.actor('session', sessionId).state()).state
    }
    await expect.poll(ended).toBe('expired')
  })

  test('writes no event for each request: use is told once a while, with the time of the last one', async () => {
    const { node, clock, userId, open, verdict } = await startStage({ accounts })
    const { token, sessionId } = await open()
    let last = 0
    for (let second = 0; second < 300; second++) {
      clock.advance(1_000)
      expect(await verdict(token)).toBe('valid')
      last = clock.now()
    }
    expect(node.liveStats().writes, 'one in ten seconds').toBeLessThanOrEqual(30)
    const { version } = await node.actor('session', sessionId).state()
    expect(version, 'one event in a minute').toBeLessThanOrEqual(1 + 6)
    const [listed] = await node.accounts.sessions(userId)
    expect(last - Date.parse(listed?.lastSeenAt ?? '')).toBeLessThanOrEqual(10_000)
  })

  test('that was used last on a node that is gone goes on by what the log was told', async () => {
    const { node, clock, open, verdict } = await startStage({ accounts })
    const { token, sessionId } = await open()
    clock.advance(9 * MINUTE)
    // As the other node told the log.
    const seenAt = new Date(clock.now()).toISOString()
    await node.actor('session', sessionId).send({ type: 'session.touched', seenAt })
    clock.advance(9 * MINUTE)
    expect(await verdict(token)).toBe('valid')
    const { context } = await node.actor('session', sessionId).state()
    expect((context as unknown as SessionContext).row?.last_activity).toBe(seenAt)
  })

  test('that is over stays so when the clock is set back; one that was ahead prolongs a session by no more than that', async () => {
    let offset = 0
    const { node, clock, open, verdict } = await startStage({ accounts }, () => offset)
    const over = await open()
    await node.accounts.revokeSession(over.sessionId, 'test')
    const { token } = await open()
    offset = 8 * MINUTE
    expect(await verdict(token)).toBe('valid')
    offset = 0
    expect(await verdict(token)).toBe('valid')
    clock.advance(18 * MINUTE + 1)
    expect(await verdict(token)).toBe('invalid_session')
    offset = -24 * HOUR
    expect(await verdict(over.token)).toBe('invalid_session')
  })
})

describe('the sweep', () => {
  const stateOf = async (node: RuntimeNode, { sessionId }: OpenedSession) => {
    const { state, context } = await node.actor('session', sessionId).state()
    return `${state}: ${(context as unknown as SessionContext).endReason}`
  }

  test('ends what is idle for longer than may be doubted, what was pushed out, and what no login opened', async () => {
    const { node, clock, userId, open } = await startStage({ accounts: { ...accounts, absoluteMs: 24 * HOUR } })
    const idle = await open()
    const remembered = await open({}, { remember: true })
    const pushedOut = await open()
    // As a node leaves it that breaks off between the two events of a login.
    await node.actor('user', userId).send({
      type: 'user.login.recorded',
      opened: {
        ...{ sessionId: 999, expiresAt: '2099-01-01T00:00:00.000Z', limit: 20, policy: 'refuse' },
        ended: [pushedOut.sessionId],
      },
    })
    const foreign = await node.create('session', {
      ...{ type: 'session.created', userId, tokenHash: 'of another program', expiresAt: '2099-01-01T00:00:00.000Z' },
    })
    const advance = async (minutes: number) => {
      for (let n = 0; n < minutes; n++) {
        clock.advance(MINUTE)
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    await advance(7)
    await expect.poll(() => stateOf(node, pushedOut)).toBe('revoked: a newer session took its place')
    expect(await stateOf(node, idle)).toBe('active: null')
    await advance(5)
    expect(await node.accounts.validate(idle.token)).toMatchObject({ ok: false })
    expect(await stateOf(node, idle), 'another node may know better').toBe('active: null')
    await advance(5)
    await expect.poll(() => stateOf(node, idle)).toBe('revoked: idle for too long')
    expect(await stateOf(node, remembered)).toBe('active: null')
    if (!foreign.ok) return expect.unreachable(foreign.reason)
    expect((await node.actor('session', foreign.actor.id).state()).state).toBe('active')
  })

  test('of a user who is not in use leaves none', async () => {
    const { node, clock, userId, open } = await startStage({ accounts })
    const session = await open()
    await node.actor('user', userId).send({ type: 'user.deactivated' })
    await expect
      .poll(() => {
        clock.advance(MINUTE)
        return stateOf(node, session)
      })
      .toBe('revoked: the account is not in use')
  })
})
