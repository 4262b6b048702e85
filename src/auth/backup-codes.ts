/** Backup codes: ten secrets of 120 bits that each stand in for a factor, once. */
import { randomBytes } from 'node:crypto'

export const BACKUP_CODES = 10

/** Crockford's Base32: no letter that is taken for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 24 characters of five bits: past the 112 bits from which a secret needs no slow hash (OWASP ASVS 5.0, 6.5.2). */
const LENGTH = 24
const FORM = /^[0-9A-HJKMNP-TV-Z]{24}$/
const TYPED = /^[0-9A-Za-z -]{24,64}$/

/** As they are shown: `7KQ2-M8XD-…`, six groups of four. */
export function newBackupCodes(): readonly string[] {
  return Array.from({ length: BACKUP_CODES }, () => {
    // 32 divides 256: each character is as likely as the next.
    const characters = [...randomBytes(LENGTH)].map(byte => ALPHABET[byte % ALPHABET.length])
    return (characters.join('').match(/.{4}/g) ?? []).join('-')
  })
}

/** A code as people type it, in the one spelling that is hashed; undefined for what is none. */
export function normalBackupCode(typed: string): string | undefined {
  if (!TYPED.test(typed)) return undefined
  const code = typed.replaceAll(/[ -]/g, '').toUpperCase().replaceAll(/[IL]/g, '1').replaceAll('O', '0')
  return FORM.test(code) ? code : undefined
}
