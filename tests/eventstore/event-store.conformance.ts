/** What an event store promises, whatever it keeps its events in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogEvent, NewEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import { MAX_LOGGED_BYTES } from '../../src/core/json.ts'
import type { Append, AppendOutcome, EventStore } from '../../src/core/ports.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

export interface LogFixture {
  /** A store on the log; several are several nodes. */
  open(clock: ManualClock): Promise<EventStore>
  close(): Promise<void>
}

export function newEvent(changes: Partial<NewEvent> = {}): NewEvent {
  return {
    type: 'thing.happened',
    schemaVersion: 1,
    data: { n: 1 },
    state: 'on',
    at: '2026-01-01T00:00:00.123Z',
    userId: null,
    commandId: null,
    causation: null,
    correlation: null,
    ...changes,
  }
}

export function append(id: number, expectedVersion: number, changes: Partial<Append> = {}): Append {
  return { actor: actorRef('thing', id), expectedVersion, events: [newEvent()], ...changes }
}

export async function readAllEvents(store: EventStore): Promise<LogEvent[]> {
  const events: LogEvent[] = []
  for (;;) {
    const page = await store.readAll(events.at(-1)?.position ?? 0, 1_000)
    events.push(...page)
    if (page.length < 1_000) return events
  }
}

export function appended(outcome: AppendOutcome): readonly LogEvent[] {
  if (outcome.outcome !== 'appended') throw new Error(`not appended: ${JSON.stringify(outcome)}`)
  return outcome.events
}

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

    describe('claims', () => {
      const name = { kind: 'name', key: 'ada' }

      test('a key is its holder’s until it is given back', async () => {
        await store.append(append(1, 0, { claims: [name] }))
        expect(await store.append(append(2, 0, { claims: [name] }))).toEqual({ outcome: 'claimed', kind: 'name' })
        appended(await store.append(append(1, 1, { claims: [name] })))
        appended(await store.append(append(1, 2, { releases: [name] })))
        appended(await store.append(append(2, 0, { claims: [name] })))
      })

      test('says who holds a name', async () => {
        expect(await store.holderOf(name)).toBeUndefined()
        await store.append(append(1, 0, { claims: [name] }))
        expect(await store.holderOf(name)).toEqual(append(1, 0).actor)
        expect(await store.holderOf({ kind: 'other', key: 'ada' })).toBeUndefined()
        appended(await store.append(append(1, 1, { releases: [name] })))
        expect(await store.holderOf(name)).toBeUndefined()
      })

      test('a refused append takes and gives nothing', async () => {
        await store.append(append(1, 0, { claims: [name] }))
        await store.append(append(1, 0, { releases: [name], claims: [{ kind: 'name', key: 'bob' }] }))
        expect((await store.append(append(2, 0, { claims: [name] }))).outcome).toBe('claimed')
        appended(await store.append(append(3, 0, { claims: [{ kind: 'name', key: 'bob' }] })))
      })

      test('nobody gives back what another holds', async () => {
        await store.append(append(1, 0, { claims: [name] }))
        await store.append(append(2, 0, { releases: [name] }))
        expect((await store.append(append(3, 0, { claims: [name] }))).outcome).toBe('claimed')
      })
    })

    describe('references', () => {
      const to = (...ids: number[]) => ({
        references: ids.map(id => ({ ...actorRef('thing', id), goneIn: ['off', 'lost'] })),
      })
      const state = (text: string) => ({ events: [newEvent({ state: text })] })

      test('to an actor without events is refused, and writes nothing', async () => {
        await store.append(append(1, 0))
        expect(await store.append(append(5, 0, to(9)))).toEqual({ outcome: 'missing', reference: 'thing/9' })
        expect(await store.append(append(5, 0, to(1, 8, 7)))).toEqual({ outcome: 'missing', reference: 'thing/8' })
        // Of another type.
        const other = { references: [{ ...actorRef('other', 1), goneIn: [] }] }
        expect(await store.append(append(5, 0, other))).toEqual({ outcome: 'missing', reference: 'other/1' })
        expect(await readAllEvents(store)).toHaveLength(1)
        appended(await store.append(append(5, 0, to(1))))
      })

      test.each([
        ['on', true],
        ['off', false],
        ['lost', false],
        ['offline', true],
        ['{"off":"for good"}', false],
        ['{"lost":{"at":"sea"}}', false],
        ['{"on":"off"}', true],
        ['{"offline":"off"}', true],
      ])('to an actor in the state %s is taken: %s', async (text, taken) => {
        await store.append(append(1, 0, state(text)))
        expect((await store.append(append(2, 0, to(1)))).outcome).toBe(taken ? 'appended' : 'missing')
      })

      test('count by the newest event alone', async () => {
        await store.append(append(1, 0, { events: [newEvent(), newEvent({ state: 'off' })] }))
        expect((await store.append(append(2, 0, to(1)))).outcome).toBe('missing')
        await store.append(append(1, 2))
        appended(await store.append(append(2, 0, to(1))))
      })

      test('to an actor that goes at the same time: what came first, and nothing is written behind it', async () => {
        const other = await open()
        await store.append(append(1, 0))
        await store.append(append(2, 0))
        const outcomes = await Promise.all([
          store.append(append(1, 1, state('off'))),
          store.append(append(3, 0, to(1))),
          store.append(append(4, 0, to(2))),
          store.append(append(2, 1, state('off'))),
          store.append(append(5, 0, to(2))),
          store.append(append(6, 0)),
        ])
        expect(outcomes.map(({ outcome }) => outcome)).toEqual([
          'appended',
          'missing',
          'appended',
          'appended',
          'missing',
          'appended',
        ])
        expect((await other.append(append(7, 0, to(1)))).outcome).toBe('missing')
      })

      test('to one that goes on another node meanwhile: nothing has a position behind its end', async () => {
        const other = await open()
        await store.append(append(1, 0))
        const make = (on: EventStore, first: number) =>
          Array.from({ length: 30 }, (_, n) => on.append(append(first + n, 0, to(1))))
        const [here, before] = [make(store, 100), make(other, 200)]
        const going = other.append(append(1, 1, state('off')))
        const [hereToo, behind] = [make(store, 300), make(other, 400)]
        const end = appended(await going)[0]?.position ?? 0
        for (const outcome of await Promise.all([...here, ...hereToo]))
          if (outcome.outcome === 'appended') expect(outcome.events[0]?.position).toBeLessThan(end)
          else expect(outcome).toEqual({ outcome: 'missing', reference: 'thing/1' })
        for (const outcome of await Promise.all(before)) appended(outcome)
        for (const { outcome } of await Promise.all(behind)) expect(outcome).toBe('missing')
        expect((await readAllEvents(other)).at(-1)?.position).toBe(end)
      })

      test('a spent command id and a conflict are told before one that is missing, a claim after', async () => {
        const name = { claims: [{ kind: 'name', key: 'ada' }] }
        const [first] = appended(await store.append(append(1, 0, { ...name, events: [newEvent({ commandId: 'c' })] })))
        expect(await store.append(append(2, 0, { ...to(9), events: [newEvent({ commandId: 'c' })] }))).toEqual({
          outcome: 'duplicate',
          position: first?.position,
        })
        expect(await store.append(append(1, 0, to(9)))).toEqual({ outcome: 'conflict' })
        const fenced = { ...to(9), lease: { name: 'job', token: 1 } }
        expect((await store.append(append(2, 0, fenced))).outcome).toBe('fenced')
        expect((await store.append(append(2, 0, { ...to(9), ...name }))).outcome).toBe('missing')
        // Which takes nothing.
        const bob = { claims: [{ kind: 'name', key: 'bob' }] }
        expect((await store.append(append(2, 0, { ...to(9), ...bob }))).outcome).toBe('missing')
        appended(await store.append(append(3, 0, bob)))
      })
    })

    describe('reading', () => {
      test.each(['readStream', 'readRecorded'] as const)('a stream by versions, in chunks: %s', async read => {
        const many = Array.from({ length: 2_500 }, (_, n) => newEvent({ data: { n } }))
        await store.append(append(1, 0, { events: many }))
        await store.append(append(2, 0))
        const chunks = await Array.fromAsync(store[read](actorRef('thing', 1)))
        expect(chunks.length).toBeGreaterThan(1)
        expect(chunks.flat().map(event => event.version)).toEqual(many.map((_, n) => n + 1))
        const range = async (from?: number, to?: number) =>
          (await Array.fromAsync(store[read](actorRef('thing', 1), { ...(from && { from }), ...(to && { to }) })))
            .flat()
            .map(event => event.version)
        expect(await range(2_499)).toEqual([2_499, 2_500])
        expect(await range(undefined, 2)).toEqual([1, 2])
        expect(await range(7, 7)).toEqual([7])
        expect(await range(9, 3)).toEqual([])
        expect(await Array.fromAsync(store[read](actorRef('thing', 3)))).toEqual([])
      })

      test('what folding reads is part of the whole event', async () => {
        await store.append(append(1, 0, { events: [newEvent({ data: { n: 1 } }), newEvent({ data: { n: 2 } })] }))
        const whole = (await Array.fromAsync(store.readStream(actorRef('thing', 1)))).flat()
        const recorded = (await Array.fromAsync(store.readRecorded(actorRef('thing', 1)))).flat()
        expect(whole).toMatchObject(recorded)
        expect(recorded).toHaveLength(2)
      })

      test('the whole log in order, from any position', async () => {
        for (let id = 1; id <= 5; id++) await store.append(append(id, 0))
        const events = await readAllEvents(store)
        expect(events.map(event => event.actorId)).toEqual([1, 2, 3, 4, 5])
        expect(await store.head()).toBe(events[4]?.position)
        expect((await store.readAll(events[1]?.position ?? 0, 2)).map(event => event.actorId)).toEqual([3, 4])
        expect(await store.readAll(await store.head(), 10)).toEqual([])
        expect(await store.eventAt(events[2]?.position ?? 0)).toEqual(events[2])
        expect(await store.eventAt(999_999)).toBeUndefined()
      })

      test('actors of a type, by id, with their last state', async () => {
        for (const id of [3, 1, 2]) await store.append(append(id, 0))
        await store.append(append(2, 1, { events: [newEvent({ state: 'off' })] }))
        await store.append({ ...append(4, 0), actor: actorRef('other', 4) })
        const all = await store.listActors('thing', 0, 10)
        expect(all.map(({ id, version, state }) => [id, version, state])).toEqual([
          [1, 1, 'on'],
          [2, 2, 'off'],
          [3, 1, 'on'],
        ])
        expect((await store.listActors('thing', 1, 1)).map(({ id }) => id)).toEqual([2])
      })
    })

    describe('audit', () => {
      beforeEach(async () => {
        await store.append(
          append(1, 0, {
            events: [
              newEvent({ userId: 7, at: '2026-01-01T00:00:00.000Z' }),
              newEvent({ userId: 8, type: 'thing.changed', at: '2026-01-02T00:00:00.000Z' }),
            ],
          }),
        )
        await store.append(append(2, 0, { events: [newEvent({ userId: 7, at: '2026-01-03T00:00:00.000Z' })] }))
        await store.append({
          ...append(1, 0, { events: [newEvent({ at: '2026-01-04T00:00:00.000Z' })] }),
          actor: actorRef('other', 1),
        })
      })
      const found = async (query: Parameters<EventStore['audit']>[0]) =>
        (await store.audit(query)).events.map(event => `${event.actorType}/${event.actorId}:${event.version}`)

      test('by user, actor, kind of actor, type and time', async () => {
        expect(await found({ userId: 7 })).toEqual(['thing/1:1', 'thing/2:1'])
        expect(await found({ actor: actorRef('thing', 1) })).toEqual(['thing/1:1', 'thing/1:2'])
        expect(await found({ actorType: 'other' })).toEqual(['other/1:1'])
        expect(await found({ type: 'thing.changed' })).toEqual(['thing/1:2'])
        expect(await found({ since: '2026-01-02T00:00:00Z', until: '2026-01-04T00:00:00Z' })).toEqual([
          'thing/1:2',
          'thing/2:1',
        ])
        expect(await found({ userId: 7, since: '2026-01-02T00:00:00Z' })).toEqual(['thing/2:1'])
        expect(await found({ userId: 99 })).toEqual([])
      })

      test('of times that lie beyond all others, or are told from far in the east or west', async () => {
        const all = (await found({})).length
        for (const since of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59', '2025-12-31T23:00:00+20:00'])
          expect(await found({ since })).toHaveLength(all)
        for (const until of ['9999-12-31T23:59:59-23:59', '2026-12-31T23:00:00-20:00'])
          expect(await found({ until })).toHaveLength(all)
        expect(await found({ until: '0000-01-01T00:00:00Z' })).toEqual([])
        expect(await found({ since: '9999-12-31T23:59:59-23:59' })).toEqual([])
      })

      test('page by page, each event once', async () => {
        const seen: number[] = []
        for (let after = 0; ; ) {
          const page = await store.audit({ after, limit: 3 })
          seen.push(...page.events.map(event => event.position))
          if (page.next === undefined) break
          after = page.next
        }
        expect(seen).toEqual((await readAllEvents(store)).map(event => event.position))
      })

      test('a page is never longer than its bound', async () => {
        await store.append(append(5, 0, { events: Array.from({ length: 1_100 }, () => newEvent()) }))
        expect((await store.audit({ limit: 1_000_000 })).events).toHaveLength(1_000)
        expect((await store.audit({ limit: 0 })).events).toHaveLength(1)
      })
    })

    describe('snapshots', () => {
      test('the newest is kept, an older one changes nothing', async () => {
        const ref = actorRef('thing', 1)
        expect(await store.loadSnapshot(ref)).toBeUndefined()
        const at = (version: number) => ({
          version,
          stateVersion: 1,
          state: { value: { live: 'on' }, context: { version } },
        })
        await store.saveSnapshot(ref, at(200))
        await store.saveSnapshot(ref, at(100))
        expect(await store.loadSnapshot(ref)).toEqual(at(200))
        await store.saveSnapshot(ref, at(300))
        expect((await store.loadSnapshot(ref))?.version).toBe(300)
      })

      test('of many saved at once each actor keeps its newest', async () => {
        const snapshot = (version: number) => ({
          version,
          stateVersion: 1,
          state: { value: 'on', context: { version } },
        })
        const saves = Array.from({ length: 500 }, (_, n) =>
          store.saveSnapshot(actorRef('thing', 1 + (n % 50)), snapshot(1_000 - n)),
        )
        await Promise.all(saves)
        for (const id of [1, 2, 50])
          expect(await store.loadSnapshot(actorRef('thing', id))).toEqual(snapshot(1_001 - id))
      })
    })

    describe('ids', () => {
      test('no two nodes are given the same, and none is below what is reserved', async () => {
        const other = await open()
        await store.reserveIds('thing', 1_000)
        const ids = await Promise.all(
          Array.from({ length: 500 }, (_, n) => (n % 2 === 0 ? store : other).nextId('thing')),
        )
        expect(new Set(ids).size).toBe(500)
        expect(Math.min(...ids)).toBeGreaterThan(1_000)
        await store.reserveIds('thing', 5_000)
        expect(await store.nextId('thing')).toBeGreaterThan(5_000)
        await store.reserveIds('thing', 5)
        expect(await store.nextId('thing')).toBeGreaterThan(1_000)
        expect(await store.nextId('other')).toBe(1)
      })
    })

    describe('timers', () => {
      const timer = (name: string, dueAt: string) => ({
        name,
        kind: 'event' as const,
        dueAt,
        payload: { type: 'thing.due' },
      })
      const now = '2026-01-01T12:00:00.000Z'

      test('a due one is taken once, and again when whoever took it kept silent', async () => {
        await store.append(
          append(1, 0, { timers: [timer('a', '2026-01-01T11:00:00.000Z'), timer('b', '2026-01-01T13:00:00.000Z')] }),
        )
        const other = await open()
        const [first] = await store.takeDueTimers(now, 10, 30_000)
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
        await store.append(append(1, 0, { timers: [timer('a', '2026-01-01T11:00:00.000Z')] }))
        const [taken] = await store.takeDueTimers(now, 10, 30_000)
        await store.append(append(1, 1, { timers: [timer('a', '2026-01-01T11:30:00.000Z')] }))
        if (taken !== undefined) await store.settleTimer(taken)
        const [moved] = await store.takeDueTimers(now, 10, 30_000)
        expect(moved).toMatchObject({ dueAt: '2026-01-01T11:30:00.000Z', attempts: 1 })
        if (moved !== undefined) await store.settleTimer(moved)
        expect(await store.nextTimerAt()).toBeUndefined()
      })

      test('one that was set anew for the same time stays, and so does one that another has taken since', async () => {
        const again = { timers: [timer('a', '2026-01-01T11:00:00.000Z')] }
        await store.append(append(1, 0, again))
        const [first] = await store.takeDueTimers(now, 10, 30_000)
        await store.append(append(1, 1, again))
        if (first !== undefined) await store.settleTimer(first)
        const [second] = await store.takeDueTimers(now, 10, 30_000)
        expect(second).toMatchObject({ name: 'a' })
        const [third] = await store.takeDueTimers('2026-01-01T12:00:30.000Z', 10, 30_000)
        expect(third).toMatchObject({ name: 'a', attempts: 2 })
        if (second !== undefined) await store.settleTimer(second)
        expect(await store.nextTimerAt()).toBe('2026-01-01T12:01:00.000Z')
        if (third !== undefined) await store.settleTimer(third)
        expect(await store.nextTimerAt()).toBeUndefined()
      })

      test('of two nodes that look at once each timer goes to one', async () => {
        const other = await open()
        const names = Array.from({ length: 60 }, (_, n) => `t${n}`)
        await store.append(append(1, 0, { timers: names.map(each => timer(each, '2026-01-01T11:00:00.000Z')) }))
        const looks = await Promise.all(
          Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? store : other).takeDueTimers(now, 10, 30_000)),
        )
        const taken = looks.flat().map(due => due.name)
        expect(new Set(taken).size).toBe(taken.length)
        for (let rest = 1; rest > 0; ) {
          const page = await store.takeDueTimers(now, 10, 30_000)
          taken.push(...page.map(due => due.name))
          rest = page.length
        }
        expect(taken.sort()).toEqual(names.sort())
      })

      test('an append cancels, and a refused append sets and cancels nothing', async () => {
        await store.append(append(1, 0, { timers: [timer('a', now)] }))
        await store.append(append(1, 0, { timers: [timer('b', now)], cancels: ['a'] }))
        expect(await store.nextTimerAt()).toBe(now)
        await store.append(append(1, 1, { cancels: ['a'] }))
        expect(await store.nextTimerAt()).toBeUndefined()
      })

      test('the oldest come first, and no more than asked for', async () => {
        await store.append(
          append(1, 0, {
            timers: [
              timer('late', '2026-01-01T03:00:00.000Z'),
              timer('early', '2026-01-01T01:00:00.000Z'),
              timer('middle', '2026-01-01T02:00:00.000Z'),
            ],
          }),
        )
        expect((await store.takeDueTimers(now, 2, 30_000)).map(({ name: taken }) => taken)).toEqual(['early', 'middle'])
      })
    })

    describe('leases', () => {
      test('one holder at a time; the next gets a larger token, and the old token is refused', async () => {
        const first = await store.acquireLease('job', 'a', 60_000)
        expect(await store.acquireLease('job', 'b', 60_000)).toBeUndefined()
        expect((await store.acquireLease('job', 'a', 60_000))?.token).toBe(first?.token)
        const under = (token: number) => ({ lease: { name: 'job', token } })
        const [written] = appended(await store.append(append(1, 0, under(first?.token ?? 0))))
        expect(written?.token).toBe(first?.token)
        await store.releaseLease('job', 'b')
        expect(await store.acquireLease('job', 'b', 60_000)).toBeUndefined()
        await store.releaseLease('job', 'a')
        const second = await store.acquireLease('job', 'b', 60_000)
        expect(second?.token).toBeGreaterThan(first?.token ?? 0)
        expect(await store.append(append(1, 1, under(first?.token ?? 0)))).toEqual({ outcome: 'fenced', lease: 'job' })
        appended(await store.append(append(1, 1, under(second?.token ?? 0))))
      })

      test('of many who ask at once one gets it', async () => {
        const other = await open()
        const leases = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            (n % 2 === 0 ? store : other).acquireLease('job', `holder-${n}`, 60_000),
          ),
        )
        expect(leases.filter(lease => lease !== undefined)).toHaveLength(1)
      })
    })

    test('a closed store takes nothing', async () => {
      await store.close()
      await expect(store.append(append(1, 0))).rejects.toMatchObject({ code: 'shutting_down' })
    })
  })
}
