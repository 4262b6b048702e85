/** The values everything else is made of: ids, JSON, states, errors. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError, ERRORS } from '../../src/core/errors.ts'
import { actorId, actorRef, commandId, formatActorRef, parseActorRef } from '../../src/core/ids.ts'
import { isStorableText, isTooDeep, type Json, MAX_DEPTH, MAX_EVENT_BYTES, poison } from '../../src/core/json.ts'
import { MASK, mask } from '../../src/core/mask.ts'
import { canonicalJson, formatStateValue } from '../../src/core/state.ts'

describe('ids', () => {
  test.each([1, '1', Number.MAX_SAFE_INTEGER, '9007199254740991'])('%s is one', id => {
    expect(actorId(id)).toBe(Number(id))
  })

  test.each([
    0,
    -1,
    1.5,
    Number.NaN,
    2 ** 53,
    '0',
    '01',
    '1.0',
    '1e3',
    ' 1',
    '9007199254740992',
    '',
    null,
    undefined,
    {},
    [1],
    '٣',
  ])('%s is none', id => {
    expect(() => actorId(id)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })

  test('an address is written and read back', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (type, id) => {
          expect(parseActorRef(formatActorRef(actorRef(type, id)))).toEqual({ type, id })
        },
      ),
    )
  })

  test.each([
    'stream',
    'stream/',
    '/1',
    'Stream/1',
    'stream/1/2',
    'stream/x',
    'x'.repeat(42).concat('/1'),
    '__proto__/1',
  ])('%s is no address', text => {
    expect(() => parseActorRef(text)).toThrow(AppError)
  })

  test('a command id is short and printable', () => {
    expect(commandId('a:b/c#1')).toBe('a:b/c#1')
    for (const text of ['', ' ', 'a b', 'ü', 'a\n', 'x'.repeat(201)])
      expect(() => commandId(text), text).toThrow(AppError)
  })
})

describe('JSON for the log', () => {
  const why = (value: Json) => poison(value, JSON.stringify(value))

  test('takes whatever Postgres can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), value => {
        const text = JSON.stringify(value)
        const storable = !text.includes('\\u0000') && text.isWellFormed() && !/\\ud[89a-f]/i.test(text)
        if (storable) expect(why(value as Json)).toBeUndefined()
      }),
    )
  })

  test('refuses NUL and lone surrogates, in values and keys, at any depth', () => {
    for (const bad of ['a\0b', '\ud800', '\udfff!']) {
      expect(isStorableText(bad)).toBe(false)
      expect(why({ text: bad })).toContain('NUL or a lone surrogate')
      expect(why({ list: [{ [bad]: 1 }] })).toContain('key')
    }
  })

  test('is not fooled by text that only looks like an escape', () => {
    expect(why({ text: '\\u0000 and \\ud800' })).toBeUndefined()
    expect(why({ emoji: '😀', text: '\\\\u0000' })).toBeUndefined()
  })

  test('bounds bytes, not characters', () => {
    expect(why({ text: 'x'.repeat(MAX_EVENT_BYTES - 20) })).toBeUndefined()
    expect(why({ text: 'x'.repeat(MAX_EVENT_BYTES) })).toContain('larger')
    expect(why({ text: '€'.repeat(MAX_EVENT_BYTES / 2) })).toContain('larger')
  })

  test('bounds depth', () => {
    const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)])
    expect(isTooDeep(nested(MAX_DEPTH))).toBe(false)
    expect(isTooDeep(nested(MAX_DEPTH + 1))).toBe(true)
  })
})

describe('states', () => {
  test('equal values give equal texts, whatever the order of their keys', () => {
    expect(formatStateValue('live')).toBe('live')
    expect(formatStateValue({ b: 'x', a: { c: 'y' } })).toBe('{"a":{"c":"y"},"b":"x"}')
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), value => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse())
        expect(canonicalJson(shuffled as Json)).toBe(canonicalJson(value as Json))
        expect(JSON.parse(canonicalJson(value as Json))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('masks', () => {
  test('hide secrets at any depth and leave the rest', () => {
    expect(mask({ row: { password_hash: 'x', username: 'ada' }, list: [{ streamKey: 'k' }], tokenHash: null })).toEqual(
      {
        row: { password_hash: MASK, username: 'ada' },
        list: [{ streamKey: MASK }],
        tokenHash: null,
      },
    )
  })
})

describe('the error table', () => {
  test('gives each code a status, an exit code and a meaning that ends as a sentence', () => {
    for (const [code, { status, exitCode, meaning }] of Object.entries(ERRORS)) {
      expect(status, code).toBeGreaterThanOrEqual(400)
      expect(exitCode, code).toBeGreaterThan(1)
      expect(meaning, code).toMatch(/\.$/)
    }
  })

  test('what may be tried again is told by the code alone', () => {
    expect(new AppError('log_unavailable', 'x')).toMatchObject({ retryable: true, status: 503 })
    expect(new AppError('invalid_input', 'x', { cause: 1 })).toMatchObject({ retryable: false, cause: 1 })
  })
})
