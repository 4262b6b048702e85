/** What addresses have in common: whoever has one of them has, or may move to, the others. */
import { isIPv4, isIPv6 } from 'node:net'

/** One subscriber, for budgets: an IPv4 address, or the /64 of an IPv6 one, for whoever has one address there has all that follow. */
export function networkOf(given: string): string {
  const address = mappedIPv4(given) ?? given
  return isIPv6(address) ? firstGroups(address, 4) : address
}

/** One customer or site of a provider: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export function siteOf(given: string): string {
  const address = mappedIPv4(given) ?? given
  if (isIPv4(address)) return address.split('.').slice(0, 3).join('.')
  return isIPv6(address) ? firstGroups(address, 3) : address
}

/**
 * The IPv4 address that one of IPv6 stands for, as sockets for both write it; undefined for any other. Taken for what they
 * look like, all of them would be one network.
 */
export function mappedIPv4(address: string): string | undefined {
  const [, plain] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (plain !== undefined) return isIPv4(plain) ? plain : undefined
  const url = `http://[${address}]`
  if (!/ffff:/i.test(address) || !URL.canParse(url)) return undefined
  // In the one spelling that URLs have.
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(new URL(url).hostname) ?? []
  if (high === undefined || low === undefined) return undefined
  return [high, low].flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join('.')
}

function firstGroups(address: string, count: number): string {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...zeros, ...right]
    .slice(0, count)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')
}
