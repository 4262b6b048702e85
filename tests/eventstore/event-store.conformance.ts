/** What an event store promises, whatever it keeps its events in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import { MAX_LOGGED_BYTES } from '../../src/core/json.ts'
import type { Append, EventStore } from '../../src/core/ports.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { claimsConformance } from './claims.conformance.ts'
import { append, appended, type LogFixture, type LogStage, newEvent, readAllEvents } from './log-stage.ts'
import { readsConformance } from './reads.conformance.ts'
import { timersAndLeasesConformance } from './timers-and-leases.conformance.ts'

export function eventStoreConformance(name: string, makeFixture: () => Promise<LogFixture>): void {
  describe(`event store: ${name}`, () => {
    let fixture: LogFixture
    let clock: ManualClock
    let store: EventStore
    const stores: EventStore[] = []
    const open = async () => {
      const opened = await fixture.open(clock)
      stores.push(opened)
      return opened
    }
    const stage: LogStage = {
      get store() {
        return store
      },
      open,
    }

    beforeEach(async () => {
      clock = createManualClock()
      fixture = await makeFixture()
      store = await open()
    })
    afterEach(async () => {
      for (const opened of stores.splice(0)) await opened.close()
      await fixture.close()
    })

    describe('append', () => {
      test('what is appended is read back as it was given, with its place in the log', async () => {
        const event = newEvent({
          data: { text: 'ünï €\n"quoted" \\u0000', nested: { list: [1, null, true, 1.5] } },
          state: '{"live":"on"}',
          userId: 7,
          commandId: 'c-1',
          causation: 3,
          correlation: 'r-1',
        })
        const [written] = appended(await store.append(append(1, 0, { events: [event] })))
        const [read] = await readAllEvents(store)
        expect(read).toEqual(written)
        expect(read).toMatchObject({ ...event, actorType: 'thing', actorId: 1, version: 1, token: null })
      })

      test('a time is read back as it was given, down to the microsecond', async () => {
        const times = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.120Z', '2026-01-01T23:59:59.123456Z']
        await store.append(append(1, 0, { events: times.map(at => newEvent({ at })) }))
        expect((await readAllEvents(store)).map(event => event.at)).toEqual(times)
        await store.append(append(2, 0, { timers: [{ name: 'a', kind: 'event', dueAt: times[2] ?? '', payload: {} }] }))
        const [due] = await store.takeDueTimers('2026-01-02T00:00:00.000Z', 1, 1_000)
        expect(due?.dueAt).toBe(times[2])
        if (due !== undefined) await store.settleTimer(due)
        expect(await store.nextTimerAt()).toBeUndefined()
      })

      test('another expected version is a conflict, and writes nothing', async () => {
        await store.append(append(1, 0))
        expect(await store.append(append(1, 0))).toEqual({ outcome: 'conflict' })
        expect(await store.append(append(1, 2))).toEqual({ outcome: 'conflict' })
        expect(await store.append(append(2, 1))).toEqual({ outcome: 'conflict' })
        expect(await readAllEvents(store)).toHaveLength(1)
      })

      test('the events of one append are written whole, in order, or not at all', async () => {
        const three = {
          events: [newEvent({ data: { n: 1 } }), newEvent({ data: { n: 2 } }), newEvent({ data: { n: 3 } })],
        }
        const events = appended(await store.append(append(1, 0, three)))
        expect(events.map(event => event.version)).toEqual([1, 2, 3])
        expect(await store.append(append(1, 2, three))).toEqual({ outcome: 'conflict' })
        expect((await readAllEvents(store)).map(event => event.data['n'])).toEqual([1, 2, 3])
      })

      test('in one batch each append has its own outcome', async () => {
        await store.append(append(1, 0, { claims: [{ kind: 'name', key: 'a' }] }))
        await store.append(append(9, 0, { events: [newEvent({ commandId: 'spent' })] }))
        const outcomes = await Promise.allSettled([
          store.append(append(2, 0)),
          store.append(append(1, 0)),
          store.append(append(3, 0, { claims: [{ kind: 'name', key: 'a' }] })),
          store.append(append(4, 0, { events: [newEvent({ commandId: 'spent' })] })),
          store.append(append(5, 0, { events: [newEvent({ data: { bad: 'nul\0' } })] })),
          store.append(append(6, 0, { events: [newEvent({ data: { '\ud800': 1 } })] })),
          store.append(append(7, 0, { lease: { name: 'none', token: 1 } })),
          store.append(append(8, 0)),
          store.append(append(10, 0, { references: [{ ...actorRef('thing', 99), goneIn: [] }] })),
        ])
        expect(
          outcomes.map(outcome => (outcome.status === 'fulfilled' ? outcome.value.outcome : outcome.reason.code)),
        ).toEqual([
          'appended',
          'conflict',
          'claimed',
          'duplicate',
          'invalid_event',
          'invalid_event',
          'fenced',
          'appended',
          'missing',
        ])
        expect((await readAllEvents(store)).map(event => event.actorId).sort()).toEqual([1, 2, 8, 9])
      })

      test('appends to one actor that are sent together are taken in turn', async () => {
        const outcomes = await Promise.all([
          store.append(append(1, 0)),
          store.append(append(1, 1)),
          store.append(append(1, 2)),
        ])
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(['appended', 'appended', 'appended'])
      })

      test('an event that is too large or too strange is refused', async () => {
        await expect(
          store.append(append(1, 0, { events: [newEvent({ data: { big: 'x'.repeat(MAX_LOGGED_BYTES) } })] })),
        ).rejects.toMatchObject({ code: 'invalid_event' })
        await expect(
          store.append(append(1, 0, { events: [newEvent({ data: { deep: '\udc00x' } })] })),
        ).rejects.toMatchObject({ code: 'invalid_event' })
        expect(await store.head()).toBe(0)
      })
    })

    test('what no column can hold is refused before it joins others', async () => {
      const strange: Partial<Append>[] = [
        { events: [newEvent({ type: 'nul\0' })] },
        { events: [newEvent({ state: '\ud800' })] },
        { events: [newEvent({ commandId: 'nul\0' })] },
        { events: [newEvent({ correlation: '\udc00' })] },
        { events: [newEvent({ at: 'yesterday' })] },
        { events: [newEvent({ at: '2026-01-01T00:00:00+02:00' })] },
        { events: [newEvent({ schemaVersion: 1.5 })] },
        { events: [newEvent({ userId: Number.NaN })] },
        { events: [newEvent({ commandId: 'twice' }), newEvent({ commandId: 'twice' })] },
        { claims: [{ kind: 'name', key: 'nul\0' }] },
        { references: [{ ...actorRef('thing', 1), type: 'nul\0', goneIn: [] }] },
        { references: [{ ...actorRef('thing', 1), goneIn: ['\ud800'] }] },
        { timers: [{ name: 'a', kind: 'event', dueAt: 'soon', payload: {} }] },
        { timers: [{ name: 'a', kind: 'event', dueAt: '2026-01-01T00:00:00Z', payload: { bad: '\0' } }] },
      ]
      const codes = await Promise.all(
        strange.map((changes, n) => store.append(append(n + 1, 0, changes)).catch(error => error.code)),
      )
      expect(codes).toEqual(strange.map(() => 'invalid_event'))
      expect(await store.head()).toBe(0)
    })

    test('an append without events is a bug of the caller', async () => {
      await expect(store.append(append(1, 0, { events: [] }))).rejects.toThrow('at least one event')
    })

    describe('command ids', () => {
      test('one that is spent is found again, whoever spent it', async () => {
        const [first] = appended(await store.append(append(1, 0, { events: [newEvent({ commandId: 'c' })] })))
        const other = await open()
        expect(await other.append(append(2, 0, { events: [newEvent({ commandId: 'c' })] }))).toEqual({
          outcome: 'duplicate',
          position: first?.position,
        })
        expect(await other.findCommand('c')).toEqual(first)
        expect(await other.findCommand('d')).toBeUndefined()
      })

      test('of many appends under one id at once one is written', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            store.append(append(n + 1, 0, { events: [newEvent({ commandId: 'c' })] })),
          ),
        )
        expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['appended', ...Array(9).fill('duplicate')])
      })
    })

    claimsConformance(stage)
    readsConformance(stage)
    timersAndLeasesConformance(stage)

    test('a closed store takes nothing', async () => {
      await store.close()
      await expect(store.append(append(1, 0))).rejects.toMatchObject({ code: 'shutting_down' })
    })
  })
}
