/** What nodes tell each other beside the log: nothing to read on its way, and nothing lost by a node that has another ring. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import type { LiveFrame } from '../../src/core/ports.ts'
import { sealedExchange } from '../../src/privacy/sealed-exchange.ts'

const ring = createKeyRing([{ id: 'one', key: randomBytes(32) }])

/** Two sides of a wire, each with its own ring. */
function wire(receiving = ring) {
  const told: string[] = []
  const listeners: ((frame: LiveFrame) => void)[] = []
  const bus = {
    publishTentative: (json: string) => {
      told.push(json)
      for (const listener of listeners) listener({ node: 'a', incarnation: 1, payload: JSON.parse(json) })
    },
    onTentative: (listener: (frame: LiveFrame) => void) => {
      listeners.push(listener)
      return () => {}
    },
    onGap: () => () => {},
  }
  const heard: LiveFrame[] = []
  sealedExchange(bus, receiving).onTentative(frame => heard.push(frame))
  return { told, heard, bus, sender: sealedExchange(bus, ring) }
}

test('is what was said on the other side, and cannot be read between', () => {
  const { told, heard, sender } = wire()
  sender.publishTentative('{"kind":"entries","name":"canary"}')
  expect(heard).toEqual([{ node: 'a', incarnation: 1, payload: { kind: 'entries', name: 'canary' } }])
  expect(told).toHaveLength(1)
  expect(told.join()).not.toMatch(/canary|entries/)
})

test('comes as it was sent where it was not sealed', () => {
  const { heard, bus } = wire()
  bus.publishTentative('{"kind":"leave"}')
  expect(heard).toMatchObject([{ payload: { kind: 'leave' } }])
})

test('says nothing where the ring is another, or a character was changed', () => {
  const { heard, sender } = wire(createKeyRing([{ id: 'two', key: randomBytes(32) }]))
  sender.publishTentative('{"kind":"leave"}')
  expect(heard).toMatchObject([{ payload: { sealed: expect.stringMatching(/^v1\.one\./) } }])
  const other = wire()
  const sealed = ring.seal('{"kind":"leave"}', 'elsewhere')
  other.bus.publishTentative(JSON.stringify({ sealed }))
  expect(other.heard).toMatchObject([{ payload: { sealed } }])
})
