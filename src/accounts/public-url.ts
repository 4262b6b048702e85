/** The address at which users reach an installation, and the domains that its passkeys may belong to. */
import { isLoopback } from '../auth/delivery/loopback.ts'

/** https, without user, query or fragment; http on loopback only. */
export function isPublicUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(text)
  const safe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  return safe && username + password + search + hash === '' && !/[?#\s]/.test(text)
}

/** Whether the domain is the host of the address, or above it: browsers refuse any other. */
export function isAbove(domain: string, publicUrl: string | undefined): boolean {
  const host = publicUrl !== undefined && URL.canParse(publicUrl) ? new URL(publicUrl).hostname : ''
  return host === domain || host.endsWith(`.${domain}`)
}
