/** Addresses of mails: one plain address, and nothing that a header or a command of SMTP could be made of. */

// What RFC 5321 calls a dot-string at a domain: no quotes, comments, groups, routes, spaces or controls.
const ADDRESS =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,31}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/
const SENDER = /^(?:(?<name>[^<>"\\\p{Cc}]{0,100}?) *<(?<named>[^<>]{3,254})>|(?<plain>[^<>\s]{3,254}))$/u

export const MAIL_FROM_FORM = 'ops@example.org or RootStream <ops@example.org>'

export interface MailAddress {
  readonly name: string
  readonly address: string
}

export function isMailAddress(text: string): boolean {
  return text.length <= 254 && ADDRESS.test(text)
}

/** `ops@example.org` or `RootStream <ops@example.org>`; undefined for what is neither. */
export function parseSender(text: string): MailAddress | undefined {
  const { name = '', named, plain } = SENDER.exec(text)?.groups ?? {}
  const address = named ?? plain ?? ''
  return isMailAddress(address) ? { name: name.trim(), address } : undefined
}
