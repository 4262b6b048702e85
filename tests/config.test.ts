/** What the environment may say. */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ATTEMPT_BUDGETS } from '../src/accounts/attempts.ts'
import { ACCOUNT_VARIABLES } from '../src/accounts/environment.ts'
import { ACCOUNT_DEFAULTS } from '../src/accounts/settings.ts'
import { DELIVERY_VARIABLES } from '../src/auth/delivery/environment.ts'
import { KEY_VARIABLES } from '../src/auth/key-environment.ts'
import { loadConfig } from '../src/config.ts'
import { AppError } from '../src/core/errors.ts'
import { redactText } from '../src/redaction.ts'
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

const webhook = { ROOTSTREAM_SMS_WEBHOOK: 'https://sms.example.org/v1' }
const secret = 'a-secret-of-the-gateway'

test('what mails and text messages go by', () => {
  expect(loadConfig({})).toMatchObject({ mail: undefined, sms: undefined, accounts: {} })
  const url = 'smtps://ops:p%40ss@mail.example.org'
  const from = 'RootStream <ops@example.org>'
  const mail = { SMTP_URL: url, ROOTSTREAM_MAIL_FROM: from, ROOTSTREAM_SMTP_CA: '/etc/mail.pem' }
  expect(
    loadConfig({ ...mail, ...webhook, ROOTSTREAM_SMS_BEARER: secret, ROOTSTREAM_PUBLIC_URL: 'https://a.example.org' }),
  ).toMatchObject({
    mail: { url, from, ca: '/etc/mail.pem' },
    sms: { url: 'https://sms.example.org/v1', auth: { kind: 'bearer', secret } },
    accounts: { publicUrl: 'https://a.example.org' },
  })
  expect(loadConfig({ ...webhook, ROOTSTREAM_SMS_HMAC_KEY: secret }).sms?.auth).toEqual({ kind: 'hmac', secret })
})

test.each([
  [{ SMTP_URL: 'smtp://localhost' }, ['ROOTSTREAM_MAIL_FROM']],
  [webhook, ['ROOTSTREAM_SMS_BEARER', 'ROOTSTREAM_SMS_HMAC_KEY']],
  [
    { ...webhook, ROOTSTREAM_SMS_BEARER: secret, ROOTSTREAM_SMS_HMAC_KEY: secret },
    ['ROOTSTREAM_SMS_BEARER', 'ROOTSTREAM_SMS_HMAC_KEY'],
  ],
])('what they need beside: %j', (env, variables) => expect(refusalOf(env).details).toEqual({ variables }))

test('what passkeys belong to, and how long a device is trusted', () => {
  const env = { ROOTSTREAM_PUBLIC_URL: 'https://live.example.org:8443', ROOTSTREAM_PASSKEY_DOMAIN: 'example.org' }
  expect(loadConfig({ ...env, ROOTSTREAM_DEVICE_DAYS: '7' })).toMatchObject({
    accounts: {
      publicUrl: env.ROOTSTREAM_PUBLIC_URL,
      passkeyDomain: 'example.org',
      deviceMs: 7 * 86_400_000,
    },
  })
  for (const domain of ['other.org', 'ample.org', 'www.live.example.org'])
    expect(refusalOf({ ...env, ROOTSTREAM_PASSKEY_DOMAIN: domain }).details, domain).toEqual({
      variables: ['ROOTSTREAM_PASSKEY_DOMAIN'],
    })
  expect(refusalOf({ ROOTSTREAM_PASSKEY_DOMAIN: 'example.org' }).details).toEqual({
    variables: ['ROOTSTREAM_PASSKEY_DOMAIN'],
  })
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
      ROOTSTREAM_REGISTRATION: 'open',
      ROOTSTREAM_LOOKALIKES: 'allow',
      ROOTSTREAM_PASSWORD_MIN_LENGTH: '12',
      ROOTSTREAM_PASSWORD_HASHING: '{"atOnce":4}',
      ROOTSTREAM_ATTEMPT_BUDGETS: '{"login.account":{"free":3,"most":20},"factor":{"within":60}}',
      ROOTSTREAM_CODE_DIGITS: '8',
      ROOTSTREAM_SMS_ALONE: 'true',
      ROOTSTREAM_TELL_NEW_DEVICE: 'false',
      ROOTSTREAM_DEVICE_DAYS: '90',
      ROOTSTREAM_PUBLIC_URL: 'https://live.example.org',
      ROOTSTREAM_PASSKEY_DOMAIN: 'example.org',
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
      registration: 'open',
      lookalikes: 'allow',
      passwordMinLength: 12,
      passwordHashing: { atOnce: 4, mostWaiting: 64, legacy: false },
      attemptBudgets: {
        'login.account': { ...ATTEMPT_BUDGETS['login.account'], free: 3, most: 20 },
        factor: { ...ATTEMPT_BUDGETS.factor, within: 60 },
      },
      codeDigits: 8,
      smsAlone: true,
      tellNewDevice: false,
      deviceMs: 90 * 86_400_000,
      publicUrl: 'https://live.example.org',
      passkeyDomain: 'example.org',
    })
    expect(
      Object.keys(ACCOUNT_DEFAULTS)
        .filter(setting => !Object.hasOwn(accounts, setting))
        .toSorted(),
    ).toEqual(['codeMs', 'passwordMinLengthWithFactor', 'recoveryMs', 'verificationMs'])
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
    ['ROOTSTREAM_PASSWORD_MIN_LENGTH', '1e1'],
    ['ROOTSTREAM_REGISTRATION', 'everybody'],
    ['ROOTSTREAM_LOOKALIKES', ''.padEnd(5_000, 'x')],
    ['ROOTSTREAM_LOOKALIKES', 'refuse,allow'],
    ['ROOTSTREAM_CODE_DIGITS', '5'],
    ['ROOTSTREAM_CODE_DIGITS', '9'],
    ['ROOTSTREAM_SMS_ALONE', '1'],
    ['ROOTSTREAM_TELL_NEW_DEVICE', 'TRUE'],
    ['ROOTSTREAM_PASSWORD_HASHING', '4'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{atOnce:4}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"atOnce":0}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"atOnce":65}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"mostWaiting":10001}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"legacy":"yes"}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"threads":4}'],
    ['ROOTSTREAM_PASSWORD_HASHING', '{"__proto__":{"atOnce":4}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '[]'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"login":{"free":3}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"free":0}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"free":2.5}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"free":1e300}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"free":101}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"most":9}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"firstWait":7200}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"remembered":1728001}}'],
    ['ROOTSTREAM_ATTEMPT_BUDGETS', '{"factor":{"tries":3}}'],
  ])('%s: %j is refused, with the form it must have', (name, value) => {
    const error = refusalOf({ [name]: value })
    expect(error.code).toBe('invalid_input')
    expect(error.message).toContain(`${name} must be`)
  })
})

test('each variable of accounts, deliveries and keys is in the README', () => {
  const readme = readFileSync(path.join(import.meta.dirname, '..', 'README.md'), 'utf8')
  const names = [ACCOUNT_VARIABLES, DELIVERY_VARIABLES, KEY_VARIABLES].flatMap(variables => Object.keys(variables))
  expect(names.length).toBeGreaterThan(25)
  expect(names.filter(name => !readme.includes(`\`${name}\``))).toEqual([])
})
