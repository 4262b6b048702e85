/** What the environment may say of accounts, and of what they send. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ATTEMPT_BUDGETS } from '../../src/accounts/attempts.ts'
import { ACCOUNT_VARIABLES } from '../../src/accounts/environment.ts'
import { ACCOUNT_DEFAULTS } from '../../src/accounts/settings.ts'
import { DELIVERY_VARIABLES } from '../../src/auth/delivery/environment.ts'
import { KEY_VARIABLES } from '../../src/auth/key-environment.ts'
import { loadConfig } from '../../src/config.ts'
import { refusalOf } from '../support/config-refusal.ts'

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
  const readme = readFileSync(path.join(import.meta.dirname, '../../README.md'), 'utf8')
  const names = [ACCOUNT_VARIABLES, DELIVERY_VARIABLES, KEY_VARIABLES].flatMap(variables => Object.keys(variables))
  expect(names.length).toBeGreaterThan(25)
  expect(names.filter(name => !readme.includes(`\`${name}\``))).toEqual([])
})
