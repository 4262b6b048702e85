/** Reads the address of a Redis server, of one that sentinels watch, or of a cluster. */
import { AppError } from '../core/errors.ts'

export const REDIS_URL_FORM =
  'redis://[[user]:password@]host[:port][/database], ' +
  'redis+sentinel://[[user]:password@]host[:port],…/master-name[/database] with the hosts of the sentinels, ' +
  'or redis+cluster://[[user]:password@]host[:port],… with any nodes of the cluster; ' +
  'rediss for redis is TLS; special characters are percent-encoded'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface RedisAccess {
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
  /** Index of the database. Pub/sub ignores it: it is not selected (a right less), channel names carry it. */
  readonly db: number
}

export type RedisAddress = RedisAccess &
  (
    | { readonly kind: 'server'; readonly hosts: readonly [Endpoint] }
    /** The hosts are those of the sentinels; user and password are for the servers they name. */
    | { readonly kind: 'sentinel'; readonly hosts: readonly Endpoint[]; readonly master: string }
    | { readonly kind: 'cluster'; readonly hosts: readonly Endpoint[] }
  )

const FORM =
  /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^@/]*)@)?(?<hosts>[^@/]*)(?<path>\/.*)?$/i
const DEFAULT_PORTS = { server: 6379, sentinel: 26379, cluster: 6379 }
const MAX_HOSTS = 100

/** Throws AppError `invalid_input`, without the text it was given: that may hold a password. */
export function parseRedisUrl(text: string): RedisAddress {
  // An option that is not understood might be one that safety rests on.
  if (/[?#]/.test(text)) throw refusal('has options after ? or #, which are not supported')
  const parts = FORM.exec(text)?.groups
  if (parts === undefined)
    throw refusal(
      /^rediss?(?:\+sentinel|\+cluster)?:\/\//i.test(text)
        ? 'cannot be read (is every special character of the password percent-encoded?)'
        : 'starts with none of redis://, redis+sentinel:// and redis+cluster://',
    )
  const kind = (parts.kind?.toLowerCase() ?? 'server') as RedisAddress['kind']
  const hosts = parseHosts(parts.hosts ?? '', DEFAULT_PORTS[kind])
  const [first] = hosts
  const path = (parts.path ?? '').replace(/^\/|\/$/g, '').split('/')
  const access = { ...parseUser(parts.user ?? ''), tls: parts.scheme?.toLowerCase() === 'rediss' }
  if (kind === 'sentinel') {
    const [master = '', database = '', ...rest] = path
    const name = decode(master)
    if (name === '' || rest.length > 0) throw refusal('names no master after the sentinels')
    return { kind, hosts, master: name, ...access, db: parseDatabase(database) }
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
