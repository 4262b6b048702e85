/** Which node of a Redis Cluster serves a channel (Redis Cluster specification: key distribution model). */
import type { Endpoint } from './redis-url.ts'

const SLOTS = 16_384

/** CRC16/XMODEM over the name, or over what stands in its first braces. */
export function slotOf(name: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(name)?.[1] ?? name
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return crc % SLOTS
}

/** The master of a channel, by the name that the cluster has for it. */
export interface Owner extends Endpoint {
  readonly id: string
}

/**
 * Reads the answer to CLUSTER SLOTS.
 * @param asked whom: it may not know its own name
 * @returns the master of each channel; channels that no node serves are missing. Throws where the answer is none.
 */
export function parseOwners(reply: unknown, channels: readonly string[], asked: Endpoint): ReadonlyMap<string, Owner> {
  if (!Array.isArray(reply)) throw new Error('the cluster gave an answer that cannot be read')
  const ranges = reply.map(range => parseRange(range, asked))
  const owners = new Map<string, Owner>()
  for (const channel of channels) {
    const slot = slotOf(channel)
    const range = ranges.find(({ first, last }) => first <= slot && slot <= last)
    if (range !== undefined) owners.set(channel, range.master)
  }
  return owners
}

/** Reads the answer to CLUSTER NODES: the names of those that most masters have given up (`fail`, not `fail?`). */
export function parseFailed(reply: unknown): ReadonlySet<string> {
  const rows = String(reply)
    .split('\n')
    .map(line => line.split(' '))
  return new Set(rows.flatMap(([id = '', , flags = '']) => (flags.split(',').includes('fail') ? [id] : [])))
}

function parseRange(range: unknown, asked: Endpoint): { first: number; last: number; master: Owner } {
  const [first, last, master]: unknown[] = Array.isArray(range) ? range : []
  const [host, port, id]: unknown[] = Array.isArray(master) ? master : []
  const numbers = [Number(first), Number(last), Number(port)] as const
  if (!Array.isArray(master) || !numbers.every(Number.isSafeInteger))
    throw new Error('the cluster gave an answer that cannot be read')
  const known = typeof host === 'string' && host !== '' && host !== '?'
  const owner = { host: known ? host : asked.host, port: numbers[2], id: String(id ?? '') }
  return { first: numbers[0], last: numbers[1], master: owner }
}
