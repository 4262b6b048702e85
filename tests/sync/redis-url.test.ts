/** Addresses of Redis servers. */
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { parseRedisUrl } from '../../src/sync/redis-url.ts'

const at = (host: string, port = 6379) => ({ host, port })
const plain = { kind: 'server', hosts: [at('cache')], tls: false, db: 0 }
const hosts = [at('s1', 26379), at('s2', 26380)]
const watched = { kind: 'sentinel', hosts, master: 'main', tls: false, sentinels: { tls: false }, db: 0 }
const cluster = { kind: 'cluster', hosts: [at('n1', 7000), at('n2')], tls: false, db: 0 }

test.each([
  ['redis://cache', plain],
  ['redis://cache/', plain],
  ['redis://cache:6380', { ...plain, hosts: [at('cache', 6380)] }],
  ['rediss://cache', { ...plain, tls: true }],
  ['redis://cache/7', { ...plain, db: 7 }],
  ['redis://cache/15/', { ...plain, db: 15 }],
  ['redis://:pw@cache', { ...plain, password: 'pw' }],
  ['redis://user:pw@cache:1/2', { ...plain, hosts: [at('cache', 1)], db: 2, username: 'user', password: 'pw' }],
  ['redis://us%40er:p%2Fw%3A%25@cache', { ...plain, username: 'us@er', password: 'p/w:%' }],
  ['redis://[::1]:6379/0', { ...plain, hosts: [at('::1')] }],
  ['redis://127.0.0.1', { ...plain, hosts: [at('127.0.0.1')] }],
  ['REDIS://cache', plain],
  ['redis+sentinel://s1,s2:26380/main', watched],
  ['redis+sentinel://s1:26379,s2:26380/main/3', { ...watched, db: 3 }],
  ['rediss+sentinel://:p%2Cw@s1,s2:26380/main/', { ...watched, tls: true, sentinels: { tls: true }, password: 'p,w' }],
  [
    'redis+sentinel://:pw@s1,s2:26380/main/3?sentinelPassword=own%26%3D&sentinelUser=watch%40er',
    { ...watched, db: 3, password: 'pw', sentinels: { tls: false, username: 'watch@er', password: 'own&=' } },
  ],
  ['redis+sentinel://s1,s2:26380/main?sentinelTls=true', { ...watched, sentinels: { tls: true } }],
  ['rediss+sentinel://s1,s2:26380/main/?sentinelTls=false', { ...watched, tls: true }],
  ['redis+sentinel://[::1]:1/a%2Fb', { ...watched, hosts: [at('::1', 1)], master: 'a/b' }],
  ['redis+cluster://n1:7000,n2', cluster],
  ['redis+cluster://n1:7000,n2/', cluster],
  ['rediss+cluster://user:p%40w@n1:7000,n2', { ...cluster, tls: true, username: 'user', password: 'p@w' }],
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
    'redis://:s3cret@one,two',
    'redis+sentinel://:s3cret@s1,s2',
    'redis+sentinel://:s3cret@s1,s2/',
    'redis+sentinel://:s3cret@s1,s2/main/x',
    'redis+sentinel://:s3cret@s1,s2/main/1/2',
    'redis+sentinel://:s3cret@s1,,s2/main',
    'redis+sentinel://:s3cret@s1,:s3cret@s2/main',
    'redis+sentinel://s1/main?sentinelPasword=s3cret',
    'redis+sentinel://s1/main?sentinelPassword=s3cret&sentinelPassword=s3cret',
    'redis+sentinel://s1/main?sentinelPassword=s3c=ret&s3cret',
    'redis+sentinel://s1/main?sentinelPassword=s3cret%zz',
    'redis+sentinel://s1/main?sentinelPassword=',
    'redis+sentinel://s1/main?sentinelPassword=s3cret?',
    'redis+sentinel://s1/main?sentinelUser=s3cret',
    'redis+sentinel://s1/main?sentinelTls=s3cret',
    'redis+cluster://:s3cret@n1,n2?sentinelPassword=s3cret',
    'redis+cluster://:s3cret@n1,n2/1',
    'redis+cluster://',
    'redis+cluster://s3cret@n1',
    `redis+cluster://:s3cret@${'n,'.repeat(200)}n`,
    'redis+mirror://:s3cret@n1',
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
