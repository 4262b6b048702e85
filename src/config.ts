/** What the environment says: the only reader of process.env, and the one place that knows the names of its variables. */
import { isIPv4, isIPv6 } from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import { ACCOUNT_VARIABLES, type AccountVariable, readAccountSettings } from './accounts/environment.ts'
import type { AccountSettings } from './accounts/settings.ts'
import { DELIVERY_VARIABLES, readDelivery } from './auth/delivery/environment.ts'
import { isLoopback } from './auth/delivery/loopback.ts'
import type { SmsOptions } from './auth/delivery/sms-webhook.ts'
import type { SmtpOptions } from './auth/delivery/smtp.ts'
import { KEY_VARIABLES, readKeySource } from './auth/key-environment.ts'
import type { KeySource } from './auth/key-source.ts'
import { AppError } from './core/errors.ts'
import { defaultNodeName, isNodeName, NODE_NAME_FORM } from './node-name.ts'
import { parseRedisUrl, REDIS_URL_FORM } from './sync/redis-url.ts'
import { readTracing } from './tracing/environment.ts'
import type { TracingOptions } from './tracing/tracing-options.ts'

export interface Config {
  /** `postgres://…`; undefined: the node brings a Postgres of its own. */
  readonly database: string | undefined
  /** The log that `replay --from` reads, where the address is not in its arguments. */
  readonly from: string | undefined
  /** How long a read waits for Postgres, in milliseconds; undefined: the node's own default. */
  readonly readPatienceMs: number | undefined
  /** See `parseRedisUrl`; undefined: no other node is told anything. */
  readonly redis: string | undefined
  /** PEM file of the authorities to trust for `rediss://`, instead of the system's (NODE_EXTRA_CA_CERTS adds to those). */
  readonly redisCa: string | undefined
  /** Whether the keys of 24.2 in Redis are kept up to date. */
  readonly legacyRedis: boolean
  /** Directory of the node's own files; absolute. */
  readonly home: string
  /** How far ahead events may be stamped that are accepted while Postgres is away; undefined: the default of the node. */
  readonly clockLeaseMs: number | undefined
  /** Port 0 is a free one. */
  readonly http: { readonly host: string; readonly port: number }
  /** Path of the Unix socket; undefined where the one under `home` would be too long (see `warnings`). */
  readonly socket: string | undefined
  /** What callers over TCP must show; undefined: the node makes one. */
  readonly token: string | undefined
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
  /** MaxMind database of places; undefined: addresses have none. */
  readonly geoDatabase: string | undefined
  /** Where the key ring comes from. */
  readonly keys: KeySource
  /** What mails go by; undefined: none are sent. */
  readonly mail: SmtpOptions | undefined
  readonly sms: SmsOptions | undefined
  readonly node: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** What is not set is the default. */
  readonly accounts: Partial<AccountSettings>
  /** Where spans go; undefined: tracing is off. */
  readonly tracing: TracingOptions | undefined
  /** What is odd but no reason not to start, for the log. */
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Longest path a Unix socket can be bound to on Linux, in bytes. */
const MAX_SOCKET_PATH = 107
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|[0-9a-f:.]{2,45})$/i

// What looks like a password in an address is masked in every error: the forms name the access as a whole.
const POSTGRES_FORM =
  'postgres://[access@]host[:port]/database, access being user or user:password, special characters percent-encoded'

/** Each variable with the form it must have, which the error quotes; the value itself may be a secret and is never shown. */
const VARIABLES = {
  DATABASE_URL: text(isPostgresUrl, POSTGRES_FORM),
  ROOTSTREAM_FROM_URL: text(isPostgresUrl, POSTGRES_FORM),
  ROOTSTREAM_READ_PATIENCE_MS: text(
    value => /^\d{3,6}$/.test(value) && Number(value) >= 500 && Number(value) <= 600_000,
    'a number of milliseconds from 500 to 600000',
  ),
  REDIS_URL: text(isRedisUrl, REDIS_URL_FORM),
  ROOTSTREAM_REDIS_CA: text(() => true, 'the path of a PEM file'),
  ROOTSTREAM_LEGACY_REDIS: text(value => value === 'true' || value === 'false', 'true or false'),
  ROOTSTREAM_HOME: text(() => true, 'the path of a directory'),
  ROOTSTREAM_CLOCK_LEASE_MINUTES: text(
    value => /^\d{1,4}$/.test(value) && Number(value) >= 1 && Number(value) <= 1_440,
    'a number of minutes from 1 to 1440',
  ),
  ROOTSTREAM_HTTP_HOST: text(
    value => HOST.test(value),
    'a loopback address (127.0.0.1, ::1, localhost), or another one together with ROOTSTREAM_HTTP_ALLOW_REMOTE=true',
  ),
  ROOTSTREAM_HTTP_ALLOW_REMOTE: text(value => value === 'true' || value === 'false', 'true or false'),
  ROOTSTREAM_HTTP_PORT: text(
    value => /^\d{1,5}$/.test(value) && Number(value) <= 65_535,
    'a number from 0 (any free port) to 65535',
  ),
  ROOTSTREAM_SOCKET: text(
    value => Buffer.byteLength(path.resolve(value)) <= MAX_SOCKET_PATH,
    `a path of at most ${MAX_SOCKET_PATH} bytes`,
  ),
  ROOTSTREAM_TOKEN: text(
    value => /^[\x21-\x7e]{16,512}$/.test(value),
    '16 to 512 printable ASCII characters without spaces',
  ),
  ROOTSTREAM_TRUSTED_PROXIES: text(
    value => listOf(value).every(isNetwork),
    'addresses or networks as 10.0.0.0/8, separated by commas',
  ),
  ROOTSTREAM_GEO_DB: text(() => true, 'the path of a MaxMind DB file (.mmdb)'),
  ROOTSTREAM_NODE: text(isNodeName, NODE_NAME_FORM),
  LOG_LEVEL: text(value => /^(?:debug|info|warn|error|silent)$/i.test(value), 'debug, info, warn, error or silent'),
  ...texts(KEY_VARIABLES),
  ...texts(DELIVERY_VARIABLES),
  ...texts(accountVariables()),
}

const environment = z.object(VARIABLES)

/** Throws AppError `invalid_input` that names every variable with a wrong value, and the form it must have. */
export function loadConfig(env: Environment = process.env): Config {
  const parsed = environment.safeParse(given(env))
  if (!parsed.success) throw refusal(parsed.error.issues.map(issue => [String(issue.path[0]), issue.message]))
  const values = parsed.data
  const host = values.ROOTSTREAM_HTTP_HOST ?? '127.0.0.1'
  if (!isLoopback(host) && values.ROOTSTREAM_HTTP_ALLOW_REMOTE !== 'true')
    throw refusal([['ROOTSTREAM_HTTP_HOST', VARIABLES.ROOTSTREAM_HTTP_HOST.description ?? '']])
  const home = path.resolve(values.ROOTSTREAM_HOME ?? '.rootstream')
  const socket = path.resolve(values.ROOTSTREAM_SOCKET ?? path.join(home, 'rootstream.sock'))
  const { keys, ...ofKeys } = readKeySource(values, home)
  const { mail, sms, ...ofDelivery } = readDelivery(values)
  const { settings: accounts, ...ofAccounts } = readAccountSettings(values)
  const wrong = [...ofKeys.wrong, ...ofDelivery.wrong, ...ofAccounts.wrong]
  if (wrong.length > 0) throw refusal(wrong)
  const { tracing, warnings } = readTracing(env)
  const fits = Buffer.byteLength(socket) <= MAX_SOCKET_PATH
  return {
    database: values.DATABASE_URL,
    from: values.ROOTSTREAM_FROM_URL,
    readPatienceMs:
      values.ROOTSTREAM_READ_PATIENCE_MS === undefined ? undefined : Number(values.ROOTSTREAM_READ_PATIENCE_MS),
    redis: values.REDIS_URL,
    redisCa: values.ROOTSTREAM_REDIS_CA,
    legacyRedis: values.ROOTSTREAM_LEGACY_REDIS === 'true',
    home,
    clockLeaseMs: minutes(values.ROOTSTREAM_CLOCK_LEASE_MINUTES),
    http: { host, port: Number(values.ROOTSTREAM_HTTP_PORT ?? 9880) },
    socket: fits ? socket : undefined,
    token: values.ROOTSTREAM_TOKEN,
    trustedProxies: listOf(values.ROOTSTREAM_TRUSTED_PROXIES ?? ''),
    geoDatabase: values.ROOTSTREAM_GEO_DB,
    keys,
    mail,
    sms,
    node: values.ROOTSTREAM_NODE ?? defaultNodeName(),
    logLevel: (values.LOG_LEVEL?.toLowerCase() ?? 'info') as Config['logLevel'],
    accounts,
    tracing,
    warnings: [...(fits ? [] : [SOCKET_TOO_LONG]), ...unknownVariables(env), ...warnings],
  }
}

const SOCKET_TOO_LONG =
  `The path of the Unix socket under ROOTSTREAM_HOME is longer than ${MAX_SOCKET_PATH} bytes, so there is none. ` +
  'Set ROOTSTREAM_SOCKET to a shorter path to have one.'

// Compose files and shells pass a variable that is not set as an empty one.
function given(env: Environment): Record<string, string> {
  const pairs = Object.keys(VARIABLES).map(name => [name, env[name]?.trim()] as const)
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== ''))
}

function minutes(value: string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value) * 60_000
}

function text(isValid: (value: string) => boolean, form: string) {
  return z.string().max(4_096, form).refine(isValid, form).optional().describe(form)
}

interface Variable {
  readonly form: string
  isValid(value: string): boolean
}

function texts<Name extends string>(variables: Readonly<Record<Name, Variable>>) {
  const entries = Object.entries<Variable>(variables).map(([name, { isValid, form }]) => [name, text(isValid, form)])
  return Object.fromEntries(entries) as Record<Name, ReturnType<typeof text>>
}

function accountVariables(): Record<AccountVariable, Variable> {
  const entries = Object.entries(ACCOUNT_VARIABLES).map(([name, { form, read }]) => [
    name,
    { form, isValid: (value: string) => read(value) !== undefined },
  ])
  return Object.fromEntries(entries)
}

function refusal(wrong: readonly (readonly [string, string])[]): AppError {
  const lines = [...new Map(wrong)].map(([name, form]) => `${name} must be ${form}.`)
  return new AppError('invalid_input', `The configuration is not usable, and nothing was started. ${lines.join(' ')}`, {
    details: { variables: wrong.map(([name]) => name) },
  })
}

// A misspelt name would be ignored in silence, with the default in its place.
function unknownVariables(env: Environment): readonly string[] {
  return Object.keys(env)
    .filter(name => name.startsWith('ROOTSTREAM_') && !Object.hasOwn(VARIABLES, name))
    .map(name => `${name} is not a variable of this program and has no effect.`)
}

function isPostgresUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, pathname } = new URL(value)
  return (protocol === 'postgres:' || protocol === 'postgresql:') && /^\/[^/]+$/.test(pathname) && decodes(value)
}

function isRedisUrl(value: string): boolean {
  try {
    parseRedisUrl(value)
    return true
  } catch {
    return false
  }
}

function decodes(url: string): boolean {
  const { username, password, pathname } = new URL(url)
  try {
    decodeURIComponent(username + password + pathname)
    return true
  } catch {
    return false
  }
}

function listOf(value: string): readonly string[] {
  return value
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

function isNetwork(value: string): boolean {
  const [address = '', prefix = '0', ...more] = value.split('/')
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : -1
  return more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
}
