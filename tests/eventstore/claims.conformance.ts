/** What an event store promises of names that have one holder, and of actors that refer to others. */
import { describe, expect, test } from 'vitest'
import { actorRef } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'
import { append, appended, type LogStage, newEvent, readAllEvents } from './log-stage.ts'

export function claimsConformance(stage: LogStage): void {
  describe('claims', () => {
    const name = { kind: 'name', key: 'ada' }

    test('a key is its holder’s until it is given back', async () => {
      await stage.store.append(append(1, 0, { claims: [name] }))
      expect(await stage.store.append(append(2, 0, { claims: [name] }))).toEqual({ outcome: 'claimed', kind: 'name' })
      appended(await stage.store.append(append(1, 1, { claims: [name] })))
      appended(await stage.store.append(append(1, 2, { releases: [name] })))
      appended(await stage.store.append(append(2, 0, { claims: [name] })))
    })

    test('says who holds a name', async () => {
      expect(await stage.store.holderOf(name)).toBeUndefined()
      await stage.store.append(append(1, 0, { claims: [name] }))
      expect(await stage.store.holderOf(name)).toEqual(append(1, 0).actor)
      expect(await stage.store.holderOf({ kind: 'other', key: 'ada' })).toBeUndefined()
      appended(await stage.store.append(append(1, 1, { releases: [name] })))
      expect(await stage.store.holderOf(name)).toBeUndefined()
    })

    test('a refused append takes and gives nothing', async () => {
      await stage.store.append(append(1, 0, { claims: [name] }))
      await stage.store.append(append(1, 0, { releases: [name], claims: [{ kind: 'name', key: 'bob' }] }))
      expect((await stage.store.append(append(2, 0, { claims: [name] }))).outcome).toBe('claimed')
      appended(await stage.store.append(append(3, 0, { claims: [{ kind: 'name', key: 'bob' }] })))
    })

    test('nobody gives back what another holds', async () => {
      await stage.store.append(append(1, 0, { claims: [name] }))
      await stage.store.append(append(2, 0, { releases: [name] }))
      expect((await stage.store.append(append(3, 0, { claims: [name] }))).outcome).toBe('claimed')
    })
  })

  describe('references', () => {
    const to = (...ids: number[]) => ({
      references: ids.map(id => ({ ...actorRef('thing', id), goneIn: ['off', 'lost'] })),
    })
    const state = (text: string) => ({ events: [newEvent({ state: text })] })

    test('to an actor without events is refused, and writes nothing', async () => {
      await stage.store.append(append(1, 0))
      expect(await stage.store.append(append(5, 0, to(9)))).toEqual({ outcome: 'missing', reference: 'thing/9' })
      expect(await stage.store.append(append(5, 0, to(1, 8, 7)))).toEqual({ outcome: 'missing', reference: 'thing/8' })
      // Of another type.
      const other = { references: [{ ...actorRef('other', 1), goneIn: [] }] }
      expect(await stage.store.append(append(5, 0, other))).toEqual({ outcome: 'missing', reference: 'other/1' })
      expect(await readAllEvents(stage.store)).toHaveLength(1)
      appended(await stage.store.append(append(5, 0, to(1))))
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
      await stage.store.append(append(1, 0, state(text)))
      expect((await stage.store.append(append(2, 0, to(1)))).outcome).toBe(taken ? 'appended' : 'missing')
    })

    test('count by the newest event alone', async () => {
      await stage.store.append(append(1, 0, { events: [newEvent(), newEvent({ state: 'off' })] }))
      expect((await stage.store.append(append(2, 0, to(1)))).outcome).toBe('missing')
      await stage.store.append(append(1, 2))
      appended(await stage.store.append(append(2, 0, to(1))))
    })

    test('to an actor that goes at the same time: what came first, and nothing is written behind it', async () => {
      const other = await stage.open()
      await stage.store.append(append(1, 0))
      await stage.store.append(append(2, 0))
      const outcomes = await Promise.all([
        stage.store.append(append(1, 1, state('off'))),
        stage.store.append(append(3, 0, to(1))),
        stage.store.append(append(4, 0, to(2))),
        stage.store.append(append(2, 1, state('off'))),
        stage.store.append(append(5, 0, to(2))),
        stage.store.append(append(6, 0)),
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
      const other = await stage.open()
      await stage.store.append(append(1, 0))
      const make = (on: EventStore, first: number) =>
        Array.from({ length: 30 }, (_, n) => on.append(append(first + n, 0, to(1))))
      const [here, before] = [make(stage.store, 100), make(other, 200)]
      const going = other.append(append(1, 1, state('off')))
      const [hereToo, behind] = [make(stage.store, 300), make(other, 400)]
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
      const [first] = appended(
        await stage.store.append(append(1, 0, { ...name, events: [newEvent({ commandId: 'c' })] })),
      )
      expect(await stage.store.append(append(2, 0, { ...to(9), events: [newEvent({ commandId: 'c' })] }))).toEqual({
        outcome: 'duplicate',
        position: first?.position,
      })
      expect(await stage.store.append(append(1, 0, to(9)))).toEqual({ outcome: 'conflict' })
      const fenced = { ...to(9), lease: { name: 'job', token: 1 } }
      expect((await stage.store.append(append(2, 0, fenced))).outcome).toBe('fenced')
      expect((await stage.store.append(append(2, 0, { ...to(9), ...name }))).outcome).toBe('missing')
      // Which takes nothing.
      const bob = { claims: [{ kind: 'name', key: 'bob' }] }
      expect((await stage.store.append(append(2, 0, { ...to(9), ...bob }))).outcome).toBe('missing')
      appended(await stage.store.append(append(3, 0, bob)))
    })
  })
}
