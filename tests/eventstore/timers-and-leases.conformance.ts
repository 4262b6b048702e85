/** What an event store promises of due timers and of leases, on several nodes. */
import { describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import { append, appended, type LogStage } from './log-stage.ts'

export function timersAndLeasesConformance(stage: LogStage): void {
  describe('timers', () => {
    const timer = (name: string, dueAt: string) => ({
      name,
      kind: 'event' as const,
      dueAt,
      payload: { type: 'thing.due' },
    })
    const now = '2026-01-01T12:00:00.000Z'

    test('a due one is taken once, and again when whoever took it kept silent', async () => {
      await stage.store.append(
        append(1, 0, { timers: [timer('a', '2026-01-01T11:00:00.000Z'), timer('b', '2026-01-01T13:00:00.000Z')] }),
      )
      const other = await stage.open()
      const [first] = await stage.store.takeDueTimers(now, 10, 30_000)
      expect(first).toMatchObject({
        actor: actorRef('thing', 1),
        name: 'a',
        dueAt: '2026-01-01T11:00:00.000Z',
        payload: { type: 'thing.due' },
        attempts: 1,
      })
      expect(await other.takeDueTimers(now, 10, 30_000)).toEqual([])
      const [again] = await other.takeDueTimers('2026-01-01T12:00:30.000Z', 10, 30_000)
      expect(again).toMatchObject({ name: 'a', attempts: 2 })
    })

    test('a settled one is gone; one that was set anew meanwhile stays', async () => {
      await stage.store.append(append(1, 0, { timers: [timer('a', '2026-01-01T11:00:00.000Z')] }))
      const [taken] = await stage.store.takeDueTimers(now, 10, 30_000)
      await stage.store.append(append(1, 1, { timers: [timer('a', '2026-01-01T11:30:00.000Z')] }))
      if (taken !== undefined) await stage.store.settleTimer(taken)
      const [moved] = await stage.store.takeDueTimers(now, 10, 30_000)
      expect(moved).toMatchObject({ dueAt: '2026-01-01T11:30:00.000Z', attempts: 1 })
      if (moved !== undefined) await stage.store.settleTimer(moved)
      expect(await stage.store.nextTimerAt()).toBeUndefined()
    })

    test('one that was set anew for the same time stays, and so does one that another has taken since', async () => {
      const again = { timers: [timer('a', '2026-01-01T11:00:00.000Z')] }
      await stage.store.append(append(1, 0, again))
      const [first] = await stage.store.takeDueTimers(now, 10, 30_000)
      await stage.store.append(append(1, 1, again))
      if (first !== undefined) await stage.store.settleTimer(first)
      const [second] = await stage.store.takeDueTimers(now, 10, 30_000)
      expect(second).toMatchObject({ name: 'a' })
      const [third] = await stage.store.takeDueTimers('2026-01-01T12:00:30.000Z', 10, 30_000)
      expect(third).toMatchObject({ name: 'a', attempts: 2 })
      if (second !== undefined) await stage.store.settleTimer(second)
      expect(await stage.store.nextTimerAt()).toBe('2026-01-01T12:01:00.000Z')
      if (third !== undefined) await stage.store.settleTimer(third)
      expect(await stage.store.nextTimerAt()).toBeUndefined()
    })

    test('of two nodes that look at once each timer goes to one', async () => {
      const other = await stage.open()
      const names = Array.from({ length: 60 }, (_, n) => `t${n}`)
      await stage.store.append(append(1, 0, { timers: names.map(each => timer(each, '2026-01-01T11:00:00.000Z')) }))
      const looks = await Promise.all(
        Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? stage.store : other).takeDueTimers(now, 10, 30_000)),
      )
      const taken = looks.flat().map(due => due.name)
      expect(new Set(taken).size).toBe(taken.length)
      for (let rest = 1; rest > 0; ) {
        const page = await stage.store.takeDueTimers(now, 10, 30_000)
        taken.push(...page.map(due => due.name))
        rest = page.length
      }
      expect(taken.sort()).toEqual(names.sort())
    })

    test('an append cancels, and a refused append sets and cancels nothing', async () => {
      await stage.store.append(append(1, 0, { timers: [timer('a', now)] }))
      await stage.store.append(append(1, 0, { timers: [timer('b', now)], cancels: ['a'] }))
      expect(await stage.store.nextTimerAt()).toBe(now)
      await stage.store.append(append(1, 1, { cancels: ['a'] }))
      expect(await stage.store.nextTimerAt()).toBeUndefined()
    })

    test('the oldest come first, and no more than asked for', async () => {
      await stage.store.append(
        append(1, 0, {
          timers: [
            timer('late', '2026-01-01T03:00:00.000Z'),
            timer('early', '2026-01-01T01:00:00.000Z'),
            timer('middle', '2026-01-01T02:00:00.000Z'),
          ],
        }),
      )
      expect((await stage.store.takeDueTimers(now, 2, 30_000)).map(({ name: taken }) => taken)).toEqual([
        'early',
        'middle',
      ])
    })
  })

  describe('leases', () => {
    test('one holder at a time; the next gets a larger token, and the old token is refused', async () => {
      const first = await stage.store.acquireLease('job', 'a', 60_000)
      expect(await stage.store.acquireLease('job', 'b', 60_000)).toBeUndefined()
      expect((await stage.store.acquireLease('job', 'a', 60_000))?.token).toBe(first?.token)
      const under = (token: number) => ({ lease: { name: 'job', token } })
      const [written] = appended(await stage.store.append(append(1, 0, under(first?.token ?? 0))))
      expect(written?.token).toBe(first?.token)
      await stage.store.releaseLease('job', 'b')
      expect(await stage.store.acquireLease('job', 'b', 60_000)).toBeUndefined()
      await stage.store.releaseLease('job', 'a')
      const second = await stage.store.acquireLease('job', 'b', 60_000)
      expect(second?.token).toBeGreaterThan(first?.token ?? 0)
      expect(await stage.store.append(append(1, 1, under(first?.token ?? 0)))).toEqual({
        outcome: 'fenced',
        lease: 'job',
      })
      appended(await stage.store.append(append(1, 1, under(second?.token ?? 0))))
    })

    test('of many who ask at once one gets it', async () => {
      const other = await stage.open()
      const leases = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 === 0 ? stage.store : other).acquireLease('job', `holder-${n}`, 60_000),
        ),
      )
      expect(leases.filter(lease => lease !== undefined)).toHaveLength(1)
    })
  })
}
