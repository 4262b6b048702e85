/** What the environment may say. */
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { AppError } from '../src/core/errors.ts'
import { redactText } from '../src/redaction.ts'
import { parseRedisUrl } from '../src/sync/redis-url.ts'
import { refusalOf } from './support/config-refusal.ts'

test('an empty environment is a node of its own on loopback', () => {
  expect(loadConfig({})).toEqual({
    database: undefined,
    from: undefined,
    readPatienceMs: undefined,
    redis: undefined,
    redisCa: undefined,
    legacyRedis: false,
    home: path.resolve('.rootstream'),
    http: { host: '127.0.0.1', port: 9880 },
    socket: path.resolve('.rootstream/rootstream.sock'),
    token: undefined,
    trustedProxies: [],
    geoDatabase: undefined,
    clockLeaseMs: undefined,
    keys: { kind: 'own_file', file: path.resolve('.rootstream/keys') },
    mail: undefined,
    sms: undefined,
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
      ROOTSTREAM_READ_PATIENCE_MS: '2000',
      REDIS_URL: 'rediss://:s3cret@cache:6380/2',
      ROOTSTREAM_REDIS_CA: '/etc/redis/ca.crt',
      ROOTSTREAM_LEGACY_REDIS: 'true',
      ROOTSTREAM_HOME: home,
      ROOTSTREAM_HTTP_HOST: '::1',
      ROOTSTREAM_HTTP_PORT: '0',
      ROOTSTREAM_SOCKET: '/run/rootstream/api.sock',
      ROOTSTREAM_TOKEN: 'a-token-of-a-length',
      ROOTSTREAM_TRUSTED_PROXIES: ' 10.0.0.0/8, 192.0.2.1,2001:db8::/32 ',
      ROOTSTREAM_GEO_DB: '/var/lib/places.mmdb',
      ROOTSTREAM_NODE: 'edge-1.example',
      ROOTSTREAM_CLOCK_LEASE_MINUTES: '90',
      LOG_LEVEL: 'DEBUG',
      PATH: '/bin',
    }),
  ).toEqual({
    database: 'postgres://me:s3cret@db:5433/rootstream?sslmode=require',
    from: 'postgres://old/rootstream',
    readPatienceMs: 2_000,
    redis: 'rediss://:s3cret@cache:6380/2',
    redisCa: '/etc/redis/ca.crt',
    legacyRedis: true,
    home,
    clockLeaseMs: 90 * 60_000,
    http: { host: '::1', port: 0 },
    socket: '/run/rootstream/api.sock',
    token: 'a-token-of-a-length',
    keys: { kind: 'own_file', file: path.join(home, 'keys') },
    mail: undefined,
    sms: undefined,
    trustedProxies: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
    geoDatabase: '/var/lib/places.mmdb',
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
    'ROOTSTREAM_TRUSTED_PROXIES',
    'ROOTSTREAM_GEO_DB',
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
    ['ROOTSTREAM_READ_PATIENCE_MS', '499', '500'],
    ['ROOTSTREAM_READ_PATIENCE_MS', '5s', '600000'],
    ['ROOTSTREAM_HTTP_PORT', '65536', '65535'],
    ['ROOTSTREAM_HTTP_PORT', '-1', '65535'],
    ['ROOTSTREAM_HTTP_PORT', '80.5', '65535'],
    ['ROOTSTREAM_SOCKET', `/${'s3cret'.repeat(20)}`, '107 bytes'],
    ['ROOTSTREAM_TOKEN', 's3cret', '16 to 512'],
    ['ROOTSTREAM_PASSKEY_DOMAIN', 's3cret.Example.org', 'lower case'],
    ['ROOTSTREAM_DEVICE_DAYS', '366', '1 to 365'],
    ['ROOTSTREAM_DEVICE_DAYS', '0', '1 to 365'],
    ['ROOTSTREAM_TOKEN', 's3cret with spaces in it', '16 to 512'],
    ['ROOTSTREAM_TRUSTED_PROXIES', 's3cret', 'addresses or networks'],
    ['ROOTSTREAM_TRUSTED_PROXIES', '10.0.0.0/33', 'addresses or networks'],
    ['ROOTSTREAM_TRUSTED_PROXIES', '10.0.0.1,2001:db8::/129', 'addresses or networks'],
    ['ROOTSTREAM_TRUSTED_PROXIES', '10.0.0.0/8/8', 'addresses or networks'],
    ['ROOTSTREAM_TRUSTED_PROXIES', '10.0.0.0/', 'addresses or networks'],
    ['ROOTSTREAM_TRUSTED_PROXIES', 'fe80::1%eth0', 'addresses or networks'],
    ['ROOTSTREAM_NODE', '-s3cret', 'letters'],
    ['ROOTSTREAM_CLOCK_LEASE_MINUTES', '0', '1 to 1440'],
    ['ROOTSTREAM_CLOCK_LEASE_MINUTES', '1441', '1 to 1440'],
    ['ROOTSTREAM_CLOCK_LEASE_MINUTES', '1.5', '1 to 1440'],
    ['ROOTSTREAM_NODE', 'x'.repeat(64), '1 to 63'],
    ['SMTP_URL', 'smtp://u:s3cret@relay?tls=off', 'smtps://'],
    ['SMTP_URL', 'http://u:s3cret@relay', 'smtps://'],
    ['ROOTSTREAM_MAIL_FROM', 's3cret', 'ops@example.org'],
    ['ROOTSTREAM_SMS_WEBHOOK', 'http://s3cret.example.org', 'https://'],
    ['ROOTSTREAM_SMS_WEBHOOK', 'https://u:s3cret@sms.example.org', 'https://'],
    ['ROOTSTREAM_SMS_BEARER', 's3cret', '16 to 512'],
    ['ROOTSTREAM_SMS_HMAC_KEY', 's3cret with spaces in it', '16 to 512'],
    ['ROOTSTREAM_PUBLIC_URL', 'http://s3cret.example.org', 'https://'],
    ['ROOTSTREAM_PUBLIC_URL', 'https://u:s3cret@example.org', 'https://'],
    ['ROOTSTREAM_PUBLIC_URL', 'https://example.org/?s3cret', 'https://'],
    ['LOG_LEVEL', 'loud', 'debug, info'],
  ])('%s=%s', (name, value, form) => {
    const error = refusalOf({ [name]: value })
    expect(error).toMatchObject({ code: 'invalid_input', details: { variables: [name] } })
    expect(error.message).toContain(`${name} must be `)
    expect(error.message).toContain(form)
    expect(error.message).not.toContain('s3cret')
    // What is printed: the form is not taken for an address with a password.
    expect(redactText(error.message)).toBe(error.message)
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

test('the key ring comes from one place', () => {
  expect(loadConfig({ ROOTSTREAM_KEYS: 'a:b' }).keys).toEqual({ kind: 'text', text: 'a:b' })
  expect(loadConfig({ ROOTSTREAM_KEY_FILE: 'ring' }).keys).toEqual({ kind: 'file', file: path.resolve('ring') })
  expect(loadConfig({ ROOTSTREAM_KEY_COMMAND: '["vault", "get"]' }).keys).toEqual({
    kind: 'command',
    argv: ['vault', 'get'],
  })
  for (const wrong of ['vault get', '[]', '[1]', '[""]', '{}'])
    expect(() => loadConfig({ ROOTSTREAM_KEY_COMMAND: wrong })).toThrow('ROOTSTREAM_KEY_COMMAND must be')
  expect(() => loadConfig({ ROOTSTREAM_KEYS: 's3cret', ROOTSTREAM_KEY_FILE: 'ring' })).toThrow(
    /ROOTSTREAM_KEYS must be the only one .* ROOTSTREAM_KEY_FILE must be the only one(?!.*s3cret)/,
  )
})
