/** Reads the address of a Redis server. */
import { AppError } from '../core/errors.ts'

export const REDIS_URL_FORM = 'redis://[[user]:password@]host[:port][/database], or rediss:// for TLS'

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Index of the database. Pub/sub ignores it: it is not selected (a right less), channel names carry it. */
  readonly db: number
  readonly username?: string
  readonly password?: string
}

/** Throws AppError `invalid_input`, without the text it was given: that may hold a password. */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const refuse = (why: string) =>
    new AppError('invalid_input', `The Redis URL ${why}. It has the form ${REDIS_URL_FORM}.`)
  if (url === undefined) throw refuse('cannot be read (is every special character of the password percent-encoded?)')
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw refuse('starts with neither redis:// nor rediss://')
  if (url.hostname === '') throw refuse('names no host')
  // An option that is not understood might be one that safety rests on.
  if (url.search !== '' || url.hash !== '') throw refuse('has options after ? or #, which are not supported')
  const database = /^\/?$|^\/(?<index>[0-9]{1,5})\/?$/.exec(url.pathname)
  if (database === null) throw refuse('has a path that is no database number')
  if (url.username !== '' && url.password === '') throw refuse('has a user name without a password')
  const username = decode(url.username)
  const password = decode(url.password)
  if (username === undefined || password === undefined) throw refuse('has a broken percent-encoding')
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    tls: url.protocol === 'rediss:',
    db: Number(database.groups?.index ?? 0),
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
