/** The name of a node: part of every event it writes, of the names of channels and of files. */
import { hostname } from 'node:os'

export const NODE_NAME_FORM = '1 to 63 letters, digits, dots, dashes or underscores, the first a letter or digit'

export function isNodeName(value: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/i.test(value)
}

/** The name of the host as far as it is one of a node. */
export function defaultNodeName(host: string = hostname()): string {
  const name = host.replaceAll(/[^a-z0-9._-]/gi, '-').slice(0, 63)
  return isNodeName(name) ? name : 'node'
}
