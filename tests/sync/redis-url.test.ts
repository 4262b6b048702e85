/** Addresses of Redis servers. */
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { parseRedisUrl } from '../../src/sync/redis-url.ts'

const plain = { host: 'cache', port: 6379, tls: false, db: 0 }

test.each([
  ['redis://cache', plain],
  ['redis://cache/', plain],
  ['redis://cache:6380', { ...plain, port: 6380 }],
  ['rediss://cache', { ...plain, tls: true }],
  ['redis://cache/7', { ...plain, db: 7 }],
  ['redis://cache/15/', { ...plain, db: 15 }],
  ['redis://:pw@cache', { ...plain, password: 'pw' }],
  ['redis://user:pw@cache:1/2', { ...plain, port: 1, db: 2, username: 'user', password: 'pw' }],
  ['redis://us%40er:p%2Fw%3A%25@cache', { ...plain, username: 'us@er', password: 'p/w:%' }],
  ['redis://[::1]:6379/0', { ...plain, host: '::1' }],
  ['redis://127.0.0.1', { ...plain, host: '127.0.0.1' }],
])('%s', (url, address) => expect(parseRedisUrl(url)).toEqual(address))

describe('refused, without the secret in the message', () => {
  test.each([
    '',
    'cache:6379',
    '/run/redis.sock',
    'http://:s3cret@cache',
    'postgres://u:s3cret@cache/db',
    'redis://',
    'redis:///0',
    'redis://:s3cret@',
    'redis://:s3cret@cache/name',
    'redis://:s3cret@cache/1/2',
    'redis://:s3cret@cache/-1',
    'redis://:s3cret@cache/123456',
    'redis://:s3cret@cache?tls=false',
    'redis://:s3cret@cache#s3cret',
    'redis://s3cret@cache',
    'redis://:s3cret%zz@cache',
    'redis://:s3cret/x@cache',
    'redis://:s3cret@cache:99999',
  ])('%s', url => {
    const error = refusalOf(url)
    expect(error).toBeInstanceOf(AppError)
    expect(error).toMatchObject({ code: 'invalid_input', message: expect.stringContaining('redis://') })
    expect(String(error)).not.toContain('s3cret')
  })
})

function refusalOf(url: string): unknown {
  try {
    return parseRedisUrl(url)
  } catch (error) {
    return error
  }
}
