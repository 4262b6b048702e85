/** Asks sentinels which server is the master now. */
import { type ConnectionOptions, openBriefly } from './redis-link.ts'
import type { Endpoint } from './redis-url.ts'

const PATIENCE_MS = 1_000

interface Answer extends Endpoint {
  /** Grows with each failover. */
  readonly epoch: number
}

/**
 * All are asked at the same time and the newest answer counts: a sentinel that was cut off still names the old master.
 * Throws where none knows it.
 * @param options of each connection, with the sentinels' own user and password
 */
export async function findMaster(
  sentinels: readonly Endpoint[],
  master: string,
  options: ConnectionOptions,
): Promise<Endpoint> {
  const asked = await Promise.allSettled(sentinels.map(sentinel => ask(sentinel, master, options)))
  const answers = asked.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
  const newest = answers.sort((a, b) => b.epoch - a.epoch)[0]
  if (newest !== undefined) return { host: newest.host, port: newest.port }
  const reasons = asked.flatMap(answer => (answer.status === 'rejected' ? [String(answer.reason?.message)] : []))
  throw new Error(`No sentinel names a master: ${[...new Set(reasons)].join('; ').slice(0, 500)}`)
}

async function ask(sentinel: Endpoint, master: string, options: ConnectionOptions): Promise<Answer> {
  const connection = await openBriefly({ ...options, ...sentinel }, PATIENCE_MS)
  try {
    return parseAnswer(await connection.call('SENTINEL', 'MASTER', master))
  } finally {
    connection.disconnect()
  }
}

function parseAnswer(reply: unknown): Answer {
  const fields = new Map<unknown, unknown>()
  if (Array.isArray(reply)) for (let at = 0; at + 1 < reply.length; at += 2) fields.set(reply[at], reply[at + 1])
  const [host, port, epoch] = [fields.get('ip'), Number(fields.get('port')), Number(fields.get('config-epoch'))]
  if (typeof host !== 'string' || host === '' || !(port > 0) || !Number.isSafeInteger(epoch))
    throw new Error('a sentinel gave an answer that cannot be read')
  return { host, port, epoch }
}
