/** The text of a state, read back. */
import { expect, test } from 'vitest'
import { formatStateValue, parseStateValue, type StateValue } from '../../src/core/state.ts'

test.each<StateValue>(['live', { live: 'recording' }, { a: { b: 'c' }, d: 'e' }])('%o comes back as it was', value => {
  expect(parseStateValue(formatStateValue(value))).toEqual(value)
})
