/** The node's own log: its lines, and what must not be in them. */
import { describe, expect, test } from 'vitest'
import { AppError } from '../src/core/errors.ts'
import { createLogger, type LoggerOptions } from '../src/logging.ts'

function capture(options: LoggerOptions = {}) {
  const written: string[] = []
  const log = createLogger({ ...options, sink: { write: line => void written.push(line) } })
  const lines = (): unknown[] => written.map(line => JSON.parse(line))
  return { log, written, lines }
}

test('one line of JSON each, with time, level, node, fields and message', () => {
  const { log, written, lines } = capture({ node: 'a', level: 'debug' })
  log.debug({ n: 1 }, 'one')
  log.info({}, 'two')
  log.warn({ list: [1, 'x', null, true] }, 'three')
  log.error({ deep: { er: 2n } }, 'four\nlines')
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(lines()).toEqual([
    { level: 'debug', time, node: 'a', n: 1, msg: 'one' },
    { level: 'info', time, node: 'a', msg: 'two' },
    { level: 'warn', time, node: 'a', list: [1, 'x', null, true], msg: 'three' },
    { level: 'error', time, node: 'a', deep: { er: '2' }, msg: 'four\nlines' },
  ])
  expect(written.every(line => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true)
})

test('below its level a logger is silent', () => {
  const { log, written } = capture({ level: 'warn' })
  log.debug({}, 'no')
  log.info({}, 'no')
  log.warn({}, 'yes')
  expect(written).toHaveLength(1)
  const silent = capture({ level: 'silent' })
  silent.log.error({}, 'no')
  expect(silent.written).toEqual([])
})

describe('secrets stay out', () => {
  test('tokens of accounts, wherever they stand in a text; what they name may be read', () => {
    const { log, written } = capture()
    const secret = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO_-'
    const texts = ['rss', 'rsr', 'rsd', 'rst'].map(kind => `GET /x?a=${kind}_12_${secret}_${secret}&b`)
    log.info({ url: texts[0], list: texts }, `${texts[1]}`)
    expect(written.join()).not.toContain(secret.slice(0, 8))
    expect(written.join()).toContain('rss_12_***')
  })

  test.each([
    ['a password', { password: 's3cret' }],
    ['a hash', { passwordHash: 's3cret' }],
    ['a token', { token: 's3cret' }],
    ['the hash of a token', { tokenHash: 's3cret' }],
    ['a header', { headers: { Authorization: 'Bearer s3cret', Cookie: 'session=s3cret' } }],
    ['a secret', { clientSecret: 's3cret' }],
    ['a stream key', { streamKey: 's3cret' }],
    ['a column', { row: { session_token: 's3cret', password_hash: 's3cret', stream_key: 's3cret' } }],
    ['a list', { rows: [{ password: 's3cret' }, { password: ['s3cret'] }] }],
    ['a map', { byId: new Map([[1, { password: 's3cret' }]]) }],
    ['an object as the value', { secret: { value: 's3cret' } }],
    ['a number as the value', { password: 53_737 }],
    ['a URL', { url: 'postgres://me:s3cret@db/x' }],
    ['a URL without a user', { text: 'could not reach redis://:s3cret@cache:6379/1, trying again' }],
    ['a URL with a broken password', { url: 'redis://u:s3@cret/s3cret@cache' }],
    ['a URL’s options', { url: 'postgres://db/x?user=me&password=s3cret&sslmode=require' }],
    ['authorization in a text', { text: 'sent Authorization: Bearer s3cret.s3cret-s3cret' }],
    ['an error', { err: new Error('at redis://:s3cret@cache') }],
    ['the cause of an error', { err: new Error('x', { cause: new Error('at redis://:s3cret@cache') }) }],
    ['the details of an error', { err: new AppError('invalid_input', 'x', { details: { token: 's3cret' } }) }],
    [
      'what a driver hangs on an error',
      { err: Object.assign(new Error('x'), { detail: 's3cret', command: ['s3cret'] }) },
    ],
    ['deep down', { a: { b: { c: { d: { e: { f: { g: { h: { i: { password: 's3cret' } } } } } } } } } }],
  ])('%s', (_where, fields) => {
    for (const pretty of [false, true]) {
      const { log, written } = capture({ pretty })
      log.error(fields, 'message with redis://:s3cret@cache')
      expect(written).toHaveLength(1)
      expect(written[0]).not.toMatch(/s3|cret[@/]|53737/)
      expect(written[0]).toContain('***')
    }
  })

  test('an error given alone', () => {
    const { log, lines } = capture()
    log.error(new Error('at redis://:s3cret@cache'), 'failed')
    expect(lines()).toMatchObject([{ err: { type: 'Error', message: 'at redis://:***@cache' }, msg: 'failed' }])
  })
})

test('what looks like a secret and is none stays', () => {
  const { log, lines } = capture()
  const fields = { token: 7, tokens: 3, hasPassword: true, password: null, passwordChangedAt: 'today', at: new Date(0) }
  log.info({ ...fields, url: 'http://localhost:80/a?b=c', mail: 'a@b.c' }, 'fencing')
  expect(lines()).toMatchObject([
    { ...fields, at: '1970-01-01T00:00:00.000Z', url: 'http://localhost:80/a?b=c', mail: 'a@b.c' },
  ])
})

test('an error keeps its type, code, stack, details and causes', () => {
  const { log, lines } = capture()
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const err = new AppError('log_unavailable', 'The log is away.', { cause, details: { host: 'db' } })
  log.warn({ err }, 'x')
  expect(lines()).toMatchObject([
    {
      err: {
        type: 'AppError',
        code: 'log_unavailable',
        message: 'The log is away.',
        details: { host: 'db' },
        stack: expect.stringContaining('logging.test.ts'),
        cause: { type: 'Error', code: 'ECONNREFUSED', message: 'refused' },
      },
    },
  ])
})

test('what is large, circular or strange is cut and does not break the line', () => {
  const circular: Record<string, unknown> = { name: 'x' }
  circular.self = circular
  const { log, written, lines } = capture()
  log.info(
    {
      circular,
      long: 'x'.repeat(1_000_000),
      many: Array.from({ length: 10_000 }, (_, index) => index),
      wide: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index])),
      bytes: Buffer.alloc(1_000),
      run: () => 1,
      when: new Date(Number.NaN),
      urls: '://a:'.repeat(100_000),
    },
    'y'.repeat(1_000_000),
  )
  expect(written[0]?.length).toBeLessThan(40_000)
  expect(lines()).toMatchObject([{ bytes: '1000 bytes', when: 'invalid date' }])
})

test('for people: one line without control characters', () => {
  const { log, written } = capture({ pretty: true, node: 'a' })
  log.warn({ actor: 'stream/7', note: 'two words', list: [1] }, 'from \u001b[31moutside\r\nsecond\u2028third\u009b')
  expect(written).toEqual([
    expect.stringMatching(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}from .*outside .*second.* actor=stream\/7 note="two words" list=\[1\]\n$/,
    ),
  ])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(written[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/)
})
