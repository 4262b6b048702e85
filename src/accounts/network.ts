/** What addresses have in common: whoever has one of them has, or may move to, the others. */
import { isIPv4, isIPv6 } from 'node:net'

/** One subscriber, for budgets: an IPv4 address, or the /64 of an IPv6 one, for whoever has one address there has all that follow. */
export function networkOf(address: string): string {
  return isIPv6(address) ? firstGroups(address, 4) : address
}

/** One customer or site of a provider: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export function siteOf(address: string): string {
  if (isIPv4(address)) return address.split('.').slice(0, 3).join('.')
  return isIPv6(address) ? firstGroups(address, 3) : address
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
