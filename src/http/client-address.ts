/** Where a request comes from: the connection's address, or what proxies that are trusted say of it. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { mappedIPv4 } from '../accounts/network.ts'

/** @param networks addresses, or networks as `10.0.0.0/8` */
export function proxyList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    list.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family)
  }
  return list
}

/**
 * The last address that somebody trusted has seen: the header is read from its end, as far as those who wrote it are
 * trusted. Undefined where there is none, as on a Unix socket.
 */
export function clientAddress(
  connection: string | undefined,
  forwarded: string | readonly string[] | undefined,
  trusted: BlockList,
): string | undefined {
  let address = plainAddress(connection ?? '')
  const hops = [forwarded ?? []].flat().join(',').split(',')
  while (address !== undefined && isTrusted(trusted, address)) {
    const hop = plainAddress(hops.pop()?.trim() ?? '')
    // `unknown`, a port, nonsense: whoever stands behind it is not known.
    if (hop === undefined) return address
    address = hop
  }
  return address
}

/** In one spelling: an IPv4 address in the form of IPv6 as itself, nothing of a zone. */
function plainAddress(text: string): string | undefined {
  const address = text.toLowerCase().replace(/%.*$/, '')
  if (isIPv4(address)) return address
  return isIPv6(address) ? (mappedIPv4(address) ?? address) : undefined
}

function isTrusted(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}
