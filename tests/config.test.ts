/** What the environment may say. */
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { AppError } from '../src/core/errors.ts'
import { parseRedisUrl } from '../src/sync/redis-url.ts'

function refusalOf(env: Record<string, string>): AppError {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new Error('it was taken')
}

test('an empty environment is a node of its own on loopback', () => {
  expect(loadConfig({})).toEqual({
    database: undefined,
    from: undefined,
    redis: undefined,
    redisCa: undefined,
    legacyRedis: false,
    home: path.resolve('.rootstream'),
    http: { host: '127.0.0.1', port: 9880 },
    socket: path.resolve('.rootstream/rootstream.sock'),
    token: undefined,
    node: expect.stringMatching(/^[a-z0-9][a-z0-9._-]*$/i),
    logLevel: 'info',
    accounts: {},
    tracing: undefined,
    warnings: [],
  })
})

test('every variable takes its place; spaces around a value do not count', () => {
  const home = path.join(os.tmpdir(), 'home')
  expect(
    loadConfig({
      DATABASE_URL: ' postgres://me:s3cret@db:5433/rootstream?sslmode=require ',
      ROOTSTREAM_FROM_URL: 'postgres://old/rootstream',
      REDIS_URL: 'rediss://:s3cret@cache:6380/2',
      ROOTSTREAM_REDIS_CA: '/etc/redis/ca.crt',
      ROOTSTREAM_LEGACY_REDIS: 'true',
      ROOTSTREAM_HOME: home,
      ROOTSTREAM_HTTP_HOST: '::1',
      ROOTSTREAM_HTTP_PORT: '0',
      ROOTSTREAM_SOCKET: '/run/rootstream/api.sock',
      ROOTSTREAM_TOKEN: 'a-token-of-a-length',
      ROOTSTREAM_NODE: 'edge-1.example',
      LOG_LEVEL: 'DEBUG',
      PATH: '/bin',
    }),
  ).toEqual({
    database: 'postgres://me:s3cret@db:5433/rootstream?sslmode=require',
    from: 'postgres://old/rootstream',
    redis: 'rediss://:s3cret@cache:6380/2',
    redisCa: '/etc/redis/ca.crt',
    legacyRedis: true,
    home,
    http: { host: '::1', port: 0 },
    socket: '/run/rootstream/api.sock',
    token: 'a-token-of-a-length',
    node: 'edge-1.example',
    logLevel: 'debug',
    accounts: {},
    tracing: undefined,
    warnings: [],
  })
})

test('an empty variable is one that is not set', () => {
  const names = [
    'DATABASE_URL',
    'REDIS_URL',
    'ROOTSTREAM_HOME',
    'ROOTSTREAM_HTTP_PORT',
    'ROOTSTREAM_TOKEN',
    'LOG_LEVEL',
  ]
  expect(loadConfig(Object.fromEntries(names.map(name => [name, ' '])))).toEqual(loadConfig({}))
})

describe('refused by name, with the form and without the value', () => {
  test.each([
    ['DATABASE_URL', 'mysql://u:s3cret@db/x', 'postgres://'],
    ['DATABASE_URL', 'postgres://u:s3cret@db', 'postgres://'],
    ['DATABASE_URL', 'postgres://u:s3cret/x@db/x', 'postgres://'],
    ['DATABASE_URL', 'postgres://u:s3cret%zz@db/x', 'postgres://'],
    ['DATABASE_URL', 's3cret', 'postgres://'],
    ['DATABASE_URL', `postgres://u:s3cret@db/${'x'.repeat(5_000)}`, 'postgres://'],
    ['REDIS_URL', 'http://:s3cret@cache', 'redis://'],
    ['REDIS_URL', 'redis://:s3cret@cache/name', 'redis://'],
    ['ROOTSTREAM_HTTP_HOST', 's3cret host', 'loopback'],
    ['ROOTSTREAM_HTTP_HOST', '0.0.0.0', 'ROOTSTREAM_HTTP_ALLOW_REMOTE=true'],
    ['ROOTSTREAM_HTTP_ALLOW_REMOTE', 'yes', 'true or false'],
    ['ROOTSTREAM_HTTP_PORT', '65536', '65535'],
    ['ROOTSTREAM_HTTP_PORT', '-1', '65535'],
    ['ROOTSTREAM_HTTP_PORT', '80.5', '65535'],
    ['ROOTSTREAM_SOCKET', `/${'s3cret'.repeat(20)}`, '107 bytes'],
    ['ROOTSTREAM_TOKEN', 's3cret', '16 to 512'],
    ['ROOTSTREAM_TOKEN', 's3cret with spaces in it', '16 to 512'],
    ['ROOTSTREAM_NODE', '-s3cret', 'letters'],
    ['ROOTSTREAM_NODE', 'x'.repeat(64), '1 to 63'],
    ['LOG_LEVEL', 'loud', 'debug, info'],
  ])('%s=%s', (name, value, form) => {
    const error = refusalOf({ [name]: value })
    expect(error).toMatchObject({ code: 'invalid_input', details: { variables: [name] } })
    expect(error.message).toContain(`${name} must be `)
    expect(error.message).toContain(form)
    expect(error.message).not.toContain('s3cret')
  })
})

test('everything that is wrong is named at once', () => {
  const error = refusalOf({ DATABASE_URL: 'no', ROOTSTREAM_HTTP_PORT: 'no', ROOTSTREAM_TOKEN: 'no' })
  expect(error.details).toEqual({ variables: ['DATABASE_URL', 'ROOTSTREAM_HTTP_PORT', 'ROOTSTREAM_TOKEN'] })
})

test.each(['127.0.0.1', '127.3.2.1', '::1', 'localhost'])('%s is loopback', host => {
  expect(loadConfig({ ROOTSTREAM_HTTP_HOST: host }).http.host).toBe(host)
})

test.each(['0.0.0.0', '::', '10.0.0.7', '127.0.0.1.example.com', 'localhost.example.com'])(
  '%s takes permission',
  host => {
    expect(() => loadConfig({ ROOTSTREAM_HTTP_HOST: host })).toThrow(AppError)
    expect(() => loadConfig({ ROOTSTREAM_HTTP_HOST: host, ROOTSTREAM_HTTP_ALLOW_REMOTE: 'false' })).toThrow(AppError)
    expect(loadConfig({ ROOTSTREAM_HTTP_HOST: host, ROOTSTREAM_HTTP_ALLOW_REMOTE: 'true' }).http.host).toBe(host)
  },
)

test('a home too deep for a socket costs the socket, and is said', () => {
  const { socket, warnings } = loadConfig({ ROOTSTREAM_HOME: `/${'deep/'.repeat(30)}` })
  expect(socket).toBeUndefined()
  expect(warnings).toEqual([expect.stringContaining('ROOTSTREAM_SOCKET')])
})

test('a misspelt variable is said', () => {
  expect(loadConfig({ ROOTSTREAM_HTPP_PORT: '1', OTHER: '1' }).warnings).toEqual([
    expect.stringContaining('ROOTSTREAM_HTPP_PORT'),
  ])
})

test.each([
  'redis://cache',
  'redis://cache/',
  'rediss://user:p%40w@cache:6380/3',
  'redis://:pw@[::1]/15/',
  'redis://',
  'redis:///1',
  'redis://user@cache',
  'redis://:p%zz@cache',
  'redis://:p/w@cache',
  'redis://cache/123456',
  'redis://cache?x=1',
  'redis://cache#x',
  'redis+sentinel://:p%40w@one,two:26380/main/2',
  'redis+sentinel://one,two',
  'rediss+cluster://one,two:7001',
  'redis+cluster://one,two/1',
])('REDIS_URL=%s is taken exactly where the bus can read it', url => {
  const outcome = (attempt: () => unknown) => {
    try {
      attempt()
      return 'taken'
    } catch (error) {
      return error instanceof AppError ? 'refused' : 'broken'
    }
  }
  expect(outcome(() => loadConfig({ REDIS_URL: url }))).toBe(outcome(() => parseRedisUrl(url)))
})

describe('account settings', () => {
  test('each variable is one setting', () => {
    const { accounts, warnings } = loadConfig({
      ROOTSTREAM_ISSUER: 'Our Studio',
      ROOTSTREAM_SESSION_IDLE: '15m',
      ROOTSTREAM_SESSION_ABSOLUTE: '12h',
      ROOTSTREAM_SESSION_REMEMBER: '14d',
      ROOTSTREAM_SESSION_PENDING: '90s',
      ROOTSTREAM_SESSION_BOUND: '500ms',
      ROOTSTREAM_STEP_UP: '2m',
      ROOTSTREAM_SESSION_LIMITS: 'admin=1:refuse, viewer=50',
      ROOTSTREAM_ON_NEW_DEVICE: 'revoke',
      ROOTSTREAM_ON_NEW_NETWORK: 'step_up',
      ROOTSTREAM_REQUIRE_VERIFIED_EMAIL: 'true',
      ROOTSTREAM_PASSWORD_MIN_LENGTH: '12',
    })
    expect(warnings).toEqual([])
    expect(accounts).toEqual({
      issuer: 'Our Studio',
      idleMs: 900_000,
      absoluteMs: 43_200_000,
      rememberMs: 1_209_600_000,
      pendingMs: 90_000,
      maxStaleMs: 500,
      stepUpMs: 120_000,
      sessionLimits: {
        admin: { most: 1, policy: 'refuse' },
        operator: { most: 10, policy: 'revoke_oldest' },
        viewer: { most: 50, policy: 'revoke_oldest' },
      },
      onNewDevice: 'revoke',
      onNewNetwork: 'step_up',
      requireVerifiedEmail: true,
      passwordMinLength: 12,
    })
  })

  test.each([
    ['ROOTSTREAM_ISSUER', 'a:b'],
    ['ROOTSTREAM_ISSUER', 'a\u0000b'],
    ['ROOTSTREAM_SESSION_IDLE', '15'],
    ['ROOTSTREAM_SESSION_IDLE', '59s'],
    ['ROOTSTREAM_SESSION_IDLE', '31d'],
    ['ROOTSTREAM_SESSION_IDLE', '1.5h'],
    ['ROOTSTREAM_SESSION_IDLE', '-1h'],
    ['ROOTSTREAM_SESSION_IDLE', '25h'],
    ['ROOTSTREAM_SESSION_ABSOLUTE', '60d'],
    ['ROOTSTREAM_SESSION_BOUND', '61s'],
    ['ROOTSTREAM_SESSION_LIMITS', 'admin'],
    ['ROOTSTREAM_SESSION_LIMITS', 'admin=0'],
    ['ROOTSTREAM_SESSION_LIMITS', 'admin=1001'],
    ['ROOTSTREAM_SESSION_LIMITS', 'admin=1,admin=2'],
    ['ROOTSTREAM_SESSION_LIMITS', 'root=1'],
    ['ROOTSTREAM_SESSION_LIMITS', 'admin=1:ask'],
    ['ROOTSTREAM_ON_NEW_DEVICE', 'Ignore'],
    ['ROOTSTREAM_REQUIRE_VERIFIED_EMAIL', 'yes'],
    ['ROOTSTREAM_PASSWORD_MIN_LENGTH', '7'],
  ])('%s: %j is refused, with the form it must have', (name, value) => {
    const error = refusalOf({ [name]: value })
    expect(error.code).toBe('invalid_input')
    expect(error.message).toContain(`${name} must be`)
  })
})
