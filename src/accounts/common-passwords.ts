/** Passwords that many people have, and that are tried first: known by their hashes alone. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'

/** Shorter ones are refused for their length, whatever the settings. */
export const MIN_COMMON_LENGTH = 8

// 20,000 to 50,000 of them, read when the first password is chosen. See data/README.md.
let keys: BigUint64Array | undefined

/** Whether it is among them, whatever its letter case. */
export function isCommonPassword(password: string): boolean {
  keys ??= readKeys()
  const wanted = commonKey(password)
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = keys[middle] ?? 0n
    if (key === wanted) return true
    if (key < wanted) low = middle + 1
    else high = middle
  }
  return false
}

/** The first eight bytes of its SHA-256, in lower case and compatibility form: two of the list do not meet by chance. */
export function commonKey(password: string): bigint {
  return hash('sha256', password.normalize('NFKC').toLowerCase(), 'buffer').readBigUInt64BE()
}

function readKeys(): BigUint64Array {
  const bytes = readFileSync(path.join(import.meta.dirname, 'data/common-passwords.bin'))
  return BigUint64Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readBigUInt64BE(index * 8))
}
