/** Which reads memory may answer: never one that might be older than was asked for. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { ActorSystem } from '../../src/actors/api.ts'
import type { Link } from '../../src/actors/link-watch.ts'
import { AppError } from '../../src/core/errors.ts'
import type { EventStore } from '../../src/core/ports.ts'
import { accepted, made, type Stage } from './actor-system-stage.ts'

/** A link that a test breaks. */
class TestLink implements Link {
  healthy = true
  readonly #listeners = new Set<() => void>()

  onGap(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  gap(): void {
    for (const listener of this.#listeners) listener()
  }
}

export function readsConformance(stage: Stage): void {
  const { booking } = stage
  const MAX = { maxStaleMs: 1_000 }

  describe('reads from memory', () => {
    let link: TestLink
    let reader: ActorSystem
    let seats: number
    const read = async (options?: object) => (await booking(1, reader).state(options)).context['seats']
    /** Commits on the other node, which the reader does not hear of. */
    const changeUnheard = async () => accepted(await booking(1).send({ type: 'booking.changed', seats: ++seats })).event

    beforeEach(async () => {
      link = new TestLink()
      reader = await stage.startNode({ link })
      seats = 2
      await booking(1).send(made('table'))
      expect(await read()).toBe(2)
      await changeUnheard()
    })

    test('without a bound there are none', async () => {
      for (const options of [undefined, {}, { maxStaleMs: 0 }]) {
        expect(await read(options)).toBe(seats)
        await changeUnheard()
      }
    })

    test('within the bound, over a link that was whole all the time', async () => {
      stage.clock.advance(1_000)
      expect(await read(MAX)).toBe(2)
    })

    test('never beyond the bound, however well the link looks', async () => {
      stage.clock.advance(1_001)
      expect(await read(MAX)).toBe(seats)
    })

    test('not while the link is down', async () => {
      link.healthy = false
      expect(await read(MAX)).toBe(seats)
      await changeUnheard()
      expect(await read(MAX)).toBe(seats)
    })

    test('what was read while the link was down is not trusted when it is up', async () => {
      link.healthy = false
      await read()
      await changeUnheard()
      link.healthy = true
      expect(await read(MAX)).toBe(seats)
    })

    test('not after a gap, until the log was read again', async () => {
      link.gap()
      expect(await read(MAX)).toBe(seats)
      await changeUnheard()
      expect(await read(MAX)).toBe(seats - 1)
    })

    test('not while something was heard of that the copy lacks', async () => {
      const missed = await changeUnheard()
      reader.hear([missed])
      expect(await read(MAX)).toBe(seats)
    })

    test('what is heard moves the copy, and makes it no younger', async () => {
      await read()
      reader.hear([await changeUnheard()])
      await changeUnheard()
      stage.clock.advance(1_000)
      expect(await read(MAX)).toBe(seats - 1)
      stage.clock.advance(1)
      expect(await read(MAX)).toBe(seats)
    })

    test('a commit of its own shows how things stand', async () => {
      stage.clock.advance(5_000)
      accepted(await booking(1, reader).send({ type: 'booking.changed', seats: 40 }))
      await changeUnheard()
      expect(await read(MAX)).toBe(40)
    })

    test('without a link there are none', async () => {
      const alone = await stage.startNode()
      await booking(1, alone).state()
      await changeUnheard()
      expect((await booking(1, alone).state(MAX)).context).toMatchObject({ seats })
    })

    test('a log that is away is covered for up to the bound, and then the read fails', async () => {
      const { store, cut } = cuttable(stage.store)
      const node = await stage.startNode({ link, store })
      expect((await booking(1, node).state()).context).toMatchObject({ seats })
      cut()
      expect((await booking(1, node).state(MAX)).context).toMatchObject({ seats })
      await expect(booking(1, node).state()).rejects.toMatchObject({ code: 'log_unavailable' })
      stage.clock.advance(1_001)
      await expect(booking(1, node).state(MAX)).rejects.toMatchObject({ code: 'log_unavailable' })
    })

    test('a bound that is none is refused', async () => {
      for (const maxStaleMs of [-1, 60_001, Number.NaN])
        await expect(read({ maxStaleMs })).rejects.toMatchObject({ code: 'invalid_input' })
    })
  })
}

/** The same store, to which the way can be cut for reads. */
function cuttable(store: EventStore): { store: EventStore; cut(): void } {
  let gone = false
  const readRecorded: EventStore['readRecorded'] = (...args) => {
    if (gone) throw new AppError('log_unavailable', 'cut off by the test')
    return store.readRecorded(...args)
  }
  const cutStore = new Proxy(store, {
    get: (target, name) => {
      if (name === 'readRecorded') return readRecorded
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return {
    store: cutStore,
    cut: () => {
      gone = true
    },
  }
}
