/** JSON bodies: read as they are, or refused; nothing is dropped in silence. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonBody } from '../../src/http/json-body.ts'

const parse = (text: string, depth = 32) => parseJsonBody(Buffer.from(text), depth)
const refused = (detail: string) =>
  expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(detail) })

test('any JSON value comes back as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      fc.pre(!/"__proto__"|"constructor"/.test(text))
      expect(parse(text)).toEqual(JSON.parse(text))
    }),
  )
})

test('a key twice is refused wherever it stands and however it is written', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.jsonValue({ maxDepth: 3 }),
      fc.jsonValue({ maxDepth: 3 }),
      fc.nat(3),
      (key, a, b, depth) => {
        fc.pre(!/__proto__|constructor/.test(key + JSON.stringify([a, b])))
        const escaped = `"${[...key].map(character => [...Array(character.length).keys()].map(at => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')).join('')}"`
        const twice = `{${JSON.stringify(key)}:${JSON.stringify(a)},"other":":\\":",${escaped}:${JSON.stringify(b)}}`
        fc.pre(key !== 'other')
        expect(() => parse(`${'{"a":['.repeat(depth)}${twice}${']}'.repeat(depth)}`)).toThrow(refused('key twice'))
      },
    ),
  )
})

describe('refused with the reason', () => {
  test.each([
    ['nothing', '', 'is empty'],
    ['half an object', '{"a":"secret', 'is not valid JSON'],
    ['two values', '{} {}', 'is not valid JSON'],
    ['a comment', '{/* */}', 'is not valid JSON'],
    ['NaN', '{"a":NaN}', 'is not valid JSON'],
    ['__proto__', '{"__proto__":{"admin":true}}', '__proto__'],
    ['__proto__, hidden by an escape', '{"__pr\\u006fto__":1}', '__proto__'],
    ['__proto__ deep inside', '[[{"a":{"__proto__":1}}]]', '__proto__'],
    ['constructor', '{"constructor":{"prototype":{"admin":true}}}', 'constructor'],
    ['a key twice', '{"a":1,"a":1}', 'twice'],
    ['a key twice under one that is overwritten', '{"a":{"b":1,"b":2},"a":1}', 'twice'],
    ['too many levels', `${'['.repeat(33)}${']'.repeat(33)}`, 'too deep'],
    ['a hundred thousand levels', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'too deep'],
    ['a hundred thousand levels of objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'too deep'],
  ])('%s', (_, text, reason) => {
    expect(() => parse(text)).toThrow(refused(reason))
    expect(() => parse(text)).not.toThrow(/secret/)
  })

  test('bytes that are no UTF-8, which would be replaced', () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]), 32)).toThrow(refused('UTF-8'))
    // A lone surrogate as bytes, and an overlong NUL.
    expect(() => parseJsonBody(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 32)).toThrow(refused('UTF-8'))
    expect(() => parseJsonBody(Buffer.from([0x22, 0xc0, 0x80, 0x22]), 32)).toThrow(refused('UTF-8'))
  })
})

test('what only looks wrong is taken: a byte order mark, colons in strings, the limit of levels', () => {
  expect(parseJsonBody(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), 32)).toEqual({})
  expect(parse('{"a:\\"b\\\\":":\\\\","c":[":","{\\"d\\":1}"]}')).toEqual({ 'a:"b\\': ':\\', c: [':', '{"d":1}'] })
  expect(parse('{"constructor":"x"}')).toEqual({ constructor: 'x' })
  expect(() => parse(`${'['.repeat(32)}${']'.repeat(32)}`)).not.toThrow()
})
