/** How long a session lasts: by use, by its end, by clocks that are wrong, and what ends those that nobody ends. */
import { describe, expect, test } from 'vitest'
import type { SessionContext } from '../../src/machines/session/machine.ts'
import { HOUR, MINUTE, startStage } from './accounts-stage.ts'

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
    await expect.poll(async () => (await node.actor('session', sessionId).state()).state).toBe('expired')
  })

  test('writes no event for each request: use is told once a while, with the time of the last one', async () => {
    const { node, clock, open, verdict } = await startStage({ accounts })
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
    const [listed] = await node.accounts.sessions((await whoIs(node, token)).userId)
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

  test('that is over stays so when the clock is set back, and lives no longer for a clock that was ahead', async () => {
    let offset = 0
    const { node, clock, open, verdict } = await startStage({ accounts, ...skewed(() => offset) })
    const over = await open()
    await node.accounts.revokeSession(over.sessionId, 'test')
    const { token } = await open()
    offset = 8 * MINUTE
    expect(await verdict(token)).toBe('valid')
    offset = 0
    // A use that lies ahead counts for nothing.
    clock.advance(10 * MINUTE + 1)
    expect(await verdict(token)).toBe('invalid_session')
    offset = -24 * HOUR
    expect(await verdict(over.token)).toBe('invalid_session')
  })
})
