/** Connections to Postgres: bounded, in UTC, with numbers as numbers, and never leaked. */
import pg from 'pg'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { isConnectionLoss, isTimeout, sqlState, toAppError } from './pg-errors.ts'
import type { SilenceWatch } from './silence-watch.ts'

export type Pool = pg.Pool
export type PoolClient = pg.PoolClient

export interface PoolOptions {
  readonly url: string
  /** Connections at the most, default 10. */
  readonly size?: number
  readonly log: Logger
  /** The server refuses writes of these sessions. */
  readonly readOnly?: boolean
}

const CONNECT_TIMEOUT_MS = 5_000
/** A server that hangs is given up after this long; a query of ours that needs longer is paged instead. */
const QUERY_TIMEOUT_MS = 60_000
/** A transaction that its owner has forgotten does not hold its locks for ever. */
const IDLE_TRANSACTION_MS = 300_000

/** A connection that nothing came over for so long is asked for a sign of life. */
const KEEPALIVE_MS = 10_000

/** New connections that are tried before the server counts as away. */
const TRIES = 3

const BIGINT = 20
const TIMESTAMPTZ = 1184

/** Throws AppError `invalid_input` on an address that is none. Its password never shows in an error. */
export function createPool({ url, size = 10, log, readOnly = false }: PoolOptions): Pool {
  const pool = new pg.Pool({
    ...clientConfig(url, readOnly ? ' -c default_transaction_read_only=on' : ''),
    max: size,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // The client gives up a little later than the server, which then knows that nobody waits.
    statement_timeout: QUERY_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS + 5_000,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
    idleTimeoutMillis: 30_000,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', error => {
    // One that the server ends while the pool says goodbye is no news.
    if (!pool.ending) log.warn({ error: error.message }, 'an idle database connection broke')
  })
  return pool
}

/** Runs `work` on a connection of its own, which has no time limits and is closed afterwards: for migrations. */
export async function withConnection<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ ...clientConfig(url), connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  // The query under way rejects too; without a listener a connection that breaks would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw toAppError(error)
  } finally {
    await client.end().catch(() => {})
  }
}

function clientConfig(address: string, more = ''): pg.ClientConfig {
  const { url, options } = separateOptions(address)
  const config: pg.ClientConfig = {
    connectionString: url,
    application_name: 'rootstream',
    // Ours last: an address with options of its own does not put the session into another time zone.
    options: `${options} -c TimeZone=UTC -c DateStyle=ISO,YMD${more}`.trimStart(),
    keepAlive: true,
    // A peer that is gone is found by Node in ten seconds more, where the system would wait for two hours.
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    types: { getTypeParser },
  }
  try {
    if (!/^postgres(?:ql)?:\/\//.test(address)) throw new Error('another protocol')
    // Reads the address and the certificates that it names: a pool would do so at its first query.
    new pg.Client(config)
    return config
  } catch (error) {
    const file = sqlState(error) === undefined ? '' : ` ${(error as Error).message}.`
    throw new AppError(
      'invalid_input',
      `DATABASE_URL is not of the form postgres://user:password@host:port/database.${file}`,
    )
  }
}

/** `?options=…` would take the place of ours. */
function separateOptions(address: string): { url: string; options: string } {
  const [given, text] = /(?<=[?&])options=([^&]*)&?/.exec(address) ?? []
  if (given === undefined || text === undefined) return { url: address, options: '' }
  return { url: address.replace(given, ''), options: new URLSearchParams(`o=${text}`).get('o') ?? '' }
}

export interface Statement {
  readonly name?: string
  readonly text: string
  readonly values?: readonly unknown[]
}

const AS_TEXT = { getTypeParser: () => (text: string) => text }

/**
 * Runs a statement; failures come out as AppErrors. On the pool it is sent again when its connection turns out to be
 * broken, so it must be one that may run twice.
 */
export async function query<Row extends pg.QueryResultRow>(
  pool: Pick<pg.ClientBase, 'query'>,
  statement: Statement,
): Promise<readonly Row[]> {
  const { values = [], ...rest } = statement
  return (await sendAgainWhenCut(pool, () => pool.query<Row>({ ...rest, values: [...values] }))).rows
}

/** Like `query`, with each row as an array: a third less work for the client. `raw` leaves each value the text it came as. */
export async function queryArrays<Row extends unknown[]>(
  pool: Pick<pg.ClientBase, 'query'>,
  statement: Statement & { readonly raw?: boolean },
): Promise<readonly Row[]> {
  const { values = [], raw = false, ...rest } = statement
  const send = () =>
    pool.query<Row>({ ...rest, values: [...values], rowMode: 'array', ...(raw ? { types: AS_TEXT } : {}) })
  return (await sendAgainWhenCut(pool, send)).rows
}

async function sendAgainWhenCut<Result>(
  pool: Pick<pg.ClientBase, 'query'>,
  send: () => Promise<Result>,
): Promise<Result> {
  // The pool may learn that an idle connection broke only by using it, and all may be. A single connection cannot be replaced here.
  const tries = pool instanceof pg.Pool ? pool.options.max + TRIES : 1
  for (let attempt = 1; ; attempt++)
    try {
      return await send()
    } catch (error) {
      if (attempt === tries || !isConnectionLoss(error) || isTimeout(error)) throw toAppError(error)
    }
}

/** Asks the server by a connection that nothing else can keep busy. Rejects where it does not answer in time. */
export async function probe(url: string, withinMs: number): Promise<void> {
  const client = new pg.Client({ ...clientConfig(url), connectionTimeoutMillis: withinMs, query_timeout: withinMs })
  // Without a listener a connection that breaks would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    // Not waited for: the goodbye may be as long in coming.
    client.end().catch(() => {})
  }
}

/** The same connections for questions that must be answered soon, or not at all. */
export function guardedPool(pool: Pool, silence: SilenceWatch, timeoutMs: number): Pool {
  const query = (config: pg.QueryConfig): Promise<pg.QueryResult> => {
    const bounded = { ...config, query_timeout: timeoutMs }
    return silence.guard(() => pool.query(bounded))
  }
  return Object.create(pool, { query: { value: query } }) as Pool
}

/** Runs `work` in a transaction on one connection; a throw rolls back. A broken connection is not returned to the pool. */
export async function withTransaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect().catch(error => {
    throw toAppError(error)
  })
  let broken: Error | undefined
  // A connection that breaks while it is checked out reports it here; the query under way rejects too.
  const onError = (error: Error) => {
    broken = error
  }
  client.on('error', onError)
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    if (isConnectionLoss(error)) broken ??= error as Error
    if (broken === undefined)
      await client.query('rollback').catch(rollbackError => {
        broken = rollbackError
      })
    throw toAppError(error)
  } finally {
    client.off('error', onError)
    client.release(broken ?? false)
  }
}

// node-postgres asks for a parser by type and format; ours only ever see text.
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === BIGINT) return safeInteger
  if (oid === TIMESTAMPTZ) return isoText
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new AppError('corrupt_data', 'A number in the database is too large to be exact.')
}

/** `2026-01-01 00:00:00.5+00` (the session is in UTC) as ISO 8601: milliseconds always, microseconds where there are any. */
export function isoText(text: string): string {
  const time = text.slice(11, -3)
  const fraction = time.slice(9)
  return `${text.slice(0, 10)}T${time.slice(0, 8)}.${fraction.length < 3 ? fraction.padEnd(3, '0') : fraction}Z`
}
