/** The trace context of a frame, as it goes over the wire. */
import { expect, test } from 'vitest'
import { decodeFrame, encodeEvents } from '../../src/sync/frame.ts'
import { logEvent } from './log-events.ts'

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const SENDER = { node: 'writer', incarnation: 1 }

function overTheWire(traceparent?: string): unknown {
  const [payload] = encodeEvents(SENDER, 0, [logEvent(1)], traceparent)
  return decodeFrame(Buffer.from(payload ?? ''))
}

test('the trace context goes with the events', () => {
  expect(overTheWire(TRACEPARENT)).toMatchObject({ kind: 'events', seq: 1, traceparent: TRACEPARENT })
})

test('a frame without one is as before', () => {
  expect(overTheWire()).toEqual({ ...SENDER, kind: 'events', seq: 1, events: [logEvent(1)] })
})

test('one that is too long costs the trace, not the events', () => {
  const frame = overTheWire('x'.repeat(100_000))
  expect(frame).toMatchObject({ kind: 'events', events: [logEvent(1)] })
  expect(frame).not.toHaveProperty('traceparent', expect.anything())
})
