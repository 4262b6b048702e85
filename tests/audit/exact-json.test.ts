/** One text for each value: what jsonb reformats stays equal, what it would round does not. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exactJson } from '../../src/audit/exact-json.ts'
import type { Json } from '../../src/core/json.ts'
import { canonicalJson } from '../../src/core/state.ts'

test('formatting and the order of keys do not matter', () => {
  expect(exactJson('{"b": 1, "a": [1, {"d": null, "c": "x"}]}')).toBe('{"a":[1,{"c":"x","d":null}],"b":1}')
  expect(exactJson('{ "10":1,"9" : 2, "__proto__":3 }')).toBe('{"10":1,"9":2,"__proto__":3}')
})

test('is what canonicalJson gives, for everything that a program can write', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), value => {
      expect(exactJson(JSON.stringify(value, null, 1))).toBe(canonicalJson(JSON.parse(JSON.stringify(value)) as Json))
    }),
  )
})

test('doubles as jsonb writes them are the doubles that were sent', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
      expect(exactJson(plain(value))).toBe(JSON.stringify(value))
    }),
  )
})

/** As Postgres writes a numeric: all digits, no exponent. */
function plain(value: number): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  const power = Number(exponent)
  if (power >= 0) {
    const digits = fraction.padEnd(power, '0')
    const rest = digits.slice(power)
    return `${sign}${whole}${digits.slice(0, power)}${rest === '' ? '' : `.${rest}`}`
  }
  const digits = whole.padStart(-power + 1, '0')
  return `${sign}${digits.slice(0, power)}.${digits.slice(power)}${fraction}`
}

test.each([
  ['1', '1.000000000000000000000001'],
  ['9007199254740992', '9007199254740993'],
  ['0.1', '0.1000000000000000055511151231257827'],
  ['123456789012345678901234567890', '123456789012345678901234567891'],
  [`1${'0'.repeat(400)}`, `2${'0'.repeat(400)}`],
])('%s is not %s', (one, other) => {
  expect(exactJson(`{"n": ${one}}`)).not.toBe(exactJson(`{"n": ${other}}`))
})

test('equal numbers in other digits are equal', () => {
  expect(exactJson('1.50')).toBe(exactJson('1.5'))
  expect(exactJson('[9007199254740993.10, -0.00000000000000000000]')).toBe(exactJson('[9007199254740993.1, 0]'))
})
