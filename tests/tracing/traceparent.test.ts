/** The W3C header, as other programs may send it. */
import { expect, test } from 'vitest'
import { formatTraceparent, parseTraceparent } from '../../src/tracing/traceparent.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

test.each([
  [`00-${TRACE}-${SPAN}-01`, 1],
  [`00-${TRACE}-${SPAN}-00`, 0],
  // Only the lowest flag means "sampled".
  [`00-${TRACE}-${SPAN}-ff`, 1],
  [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, 1],
])('%s is understood', (text, traceFlags) => {
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags, isRemote: true })
})

test.each([
  '',
  'nonsense',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
])('%j is passed over', text => {
  expect(parseTraceparent(text)).toBeUndefined()
})

test('what is written is read back', () => {
  const context = { traceId: TRACE, spanId: SPAN, traceFlags: 1 }
  expect(parseTraceparent(formatTraceparent(context))).toMatchObject(context)
})
