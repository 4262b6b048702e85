/** The bounded queue of outgoing frames. */
import { expect, test } from 'vitest'
import { createOutbox } from '../../src/sync/outbox.ts'

function create(maxBytes: number) {
  const sent: { payload: string; answer: () => void; fail: () => void }[] = []
  const counts = { sent: 0, failed: 0 }
  const outbox = createOutbox({
    maxBytes,
    send: payload =>
      new Promise<void>((resolve, reject) => {
        sent.push({ payload, answer: resolve, fail: () => reject(new Error('closed')) })
      }),
    onSent: () => void counts.sent++,
    onFailed: () => void counts.failed++,
  })
  return { outbox, sent, counts, payloads: () => sent.map(({ payload }) => payload) }
}

const answered = () => new Promise<void>(resolve => setImmediate(resolve))

test('what waits leaves in order when the link opens, and what comes then at once', () => {
  const { outbox, payloads } = create(100)
  expect([outbox.push('1'), outbox.push('2')]).toEqual([true, true])
  expect(payloads()).toEqual([])
  outbox.open()
  outbox.push('3')
  expect(payloads()).toEqual(['1', '2', '3'])
})

test('bytes are counted, not letters, and those that wait count like those unanswered', async () => {
  const { outbox, sent, counts } = create(6)
  expect(outbox.push('ü€')).toBe(true)
  expect(outbox.push('ab')).toBe(false)
  expect(outbox.push('a')).toBe(true)
  outbox.open()
  expect(outbox.push('b')).toBe(false)
  sent[0]?.answer()
  await answered()
  expect(counts).toEqual({ sent: 1, failed: 0 })
  expect(outbox.push('12345')).toBe(true)
  expect(outbox.push('6')).toBe(false)
})

test('a broken link frees what was under way, once, and does not send it again', async () => {
  const { outbox, sent, counts, payloads } = create(4)
  outbox.open()
  outbox.push('1111')
  outbox.close()
  sent[0]?.fail()
  await answered()
  expect(counts).toEqual({ sent: 0, failed: 1 })
  expect(outbox.push('2222')).toBe(true)
  expect(outbox.push('3')).toBe(false)
  outbox.open()
  expect(payloads()).toEqual(['1111', '2222'])
})

test('what still waits when the link breaks again keeps its place', () => {
  const { outbox, payloads } = create(4)
  outbox.push('11')
  outbox.close()
  expect([outbox.push('22'), outbox.push('3')]).toEqual([true, false])
  outbox.open()
  expect(payloads()).toEqual(['11', '22'])
  outbox.close()
  outbox.open()
  expect(payloads()).toEqual(['11', '22'])
})
