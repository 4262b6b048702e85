/** Reads the address of a Redis server, of one that sentinels watch, or of a cluster. */
import { AppError } from '../core/errors.ts'

export const REDIS_URL_FORM =
  'redis://[access@]host[:port][/database], ' +
  'redis+sentinel://[access@]host[:port],…/master-name[/database] with the hosts of the sentinels ' +
  '(their own access as ?sentinelUser=…&sentinelPassword=…&sentinelTls=true|false), ' +
  'or redis+cluster://[access@]host[:port],… with any nodes of the cluster; ' +
  'access is user:password or :password, rediss for redis is TLS; special characters are percent-encoded'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** How to get in at a server, or at sentinels. */
export interface EndpointAccess {
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
}

export interface RedisAccess extends EndpointAccess {
  /** Index of the database. Pub/sub ignores it: it is not selected (a right less), channel names carry it. */
  readonly db: number
}

export type RedisAddress = RedisAccess &
  (
    | { readonly kind: 'server'; readonly hosts: readonly [Endpoint] }
    /** The hosts are those of the sentinels; user, password and TLS are for the servers they name. */
    | {
        readonly kind: 'sentinel'
        readonly hosts: readonly Endpoint[]
        readonly master: string
        readonly sentinels: EndpointAccess
      }
    | { readonly kind: 'cluster'; readonly hosts: readonly Endpoint[] }
  )

const FORM =
  /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^@/]*)@)?(?<hosts>[^@/]*)(?<path>\/.*)?$/i
const DEFAULT_PORTS = { server: 6379, sentinel: 26379, cluster: 6379 }
const MAX_HOSTS = 100
const SENTINEL_OPTIONS = ['sentinelUser', 'sentinelPassword', 'sentinelTls']

/** Throws AppError `invalid_input`, without the text it was given: that may hold a password. */
export function parseRedisUrl(text: string): RedisAddress {
  const [address = '', options, ...more] = text.split('?')
  if (more.length > 0 || text.includes('#')) throw refusal('has a second ?, or a #, that is not percent-encoded')
  const parts = FORM.exec(address)?.groups
  if (parts === undefined)
    throw refusal(
      /^rediss?(?:\+sentinel|\+cluster)?:\/\//i.test(text)
        ? 'cannot be read (is every special character of the password percent-encoded?)'
        : 'starts with none of redis://, redis+sentinel:// and redis+cluster://',
    )
  const kind = (parts.kind?.toLowerCase() ?? 'server') as RedisAddress['kind']
  if (kind !== 'sentinel' && options !== undefined) throw refusal('has options after ?, which only sentinels have')
  const hosts = parseHosts(parts.hosts ?? '', DEFAULT_PORTS[kind])
  const [first] = hosts
  const path = (parts.path ?? '').replace(/^\/|\/$/g, '').split('/')
  const access = { ...parseUser(parts.user ?? ''), tls: parts.scheme?.toLowerCase() === 'rediss' }
  if (kind === 'sentinel') {
    const [master = '', database = '', ...rest] = path
    const name = decode(master)
    if (name === '' || rest.length > 0) throw refusal('names no master after the sentinels')
    const sentinels = parseSentinelOptions(options ?? '', access.tls)
    return { kind, hosts, master: name, sentinels, ...access, db: parseDatabase(database) }
  }
  if (path.length > 1) throw refusal('has a path that is no database number')
  if (kind === 'cluster') {
    if (path[0] !== '') throw refusal('names a database, of which a cluster has only one')
    return { kind, hosts, ...access, db: 0 }
  }
  if (first === undefined || hosts.length > 1) throw refusal('names several hosts: are they sentinels or a cluster?')
  return { kind, hosts: [first], ...access, db: parseDatabase(path[0] ?? '') }
}

function parseHosts(list: string, defaultPort: number): readonly Endpoint[] {
  const hosts = list.split(',')
  if (hosts.length > MAX_HOSTS) throw refusal(`names more than ${MAX_HOSTS} hosts`)
  return hosts.map(host => {
    if (host === '') throw refusal('names no host')
    const url = URL.canParse(`redis://${host}`) ? new URL(`redis://${host}`) : undefined
    if (url === undefined || url.hostname === '' || url.username !== '') throw refusal('has a host that cannot be read')
    return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? defaultPort : Number(url.port) }
  })
}

function parseUser(info: string): { username?: string; password?: string } {
  const colon = info.indexOf(':')
  const username = decode(colon === -1 ? info : info.slice(0, colon))
  const password = colon === -1 ? '' : decode(info.slice(colon + 1))
  if (username !== '' && password === '') throw refusal('has a user name without a password')
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) }
}

function parseSentinelOptions(text: string, tls: boolean): EndpointAccess {
  const given = new Map<string, string>()
  for (const option of text === '' ? [] : text.split('&')) {
    const [name = '', value = '', ...rest] = option.split('=')
    // An option that is not understood might be one that safety rests on.
    if (!SENTINEL_OPTIONS.includes(name) || given.has(name) || value === '' || rest.length > 0)
      throw refusal(`has an option that is none of ${SENTINEL_OPTIONS.join(', ')}, or one twice or without a value`)
    given.set(name, decode(value))
  }
  const [username, password, ownTls] = SENTINEL_OPTIONS.map(name => given.get(name))
  if (username !== undefined && password === undefined) throw refusal('has a sentinelUser without a sentinelPassword')
  if (ownTls !== undefined && ownTls !== 'true' && ownTls !== 'false')
    throw refusal('has a sentinelTls that is neither true nor false')
  return {
    tls: ownTls === undefined ? tls : ownTls === 'true',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  }
}

function parseDatabase(text: string): number {
  if (!/^[0-9]{0,5}$/.test(text)) throw refusal('has a path that is no database number')
  return Number(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refusal('has a broken percent-encoding')
  }
}

function refusal(why: string): AppError {
  return new AppError('invalid_input', `The Redis URL ${why}. It has the form ${REDIS_URL_FORM}.`)
}
