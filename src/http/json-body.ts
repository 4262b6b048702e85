/** JSON bodies, read so that what was sent is what is taken: no key lost, no text changed on the way. */
import { isUtf8 } from 'node:buffer'
import { AppError } from '../core/errors.ts'

/**
 * Throws AppError `invalid_input` on what is no JSON, nests deeper than `maxDepth`, names a key twice or names one that
 * JavaScript gives a meaning of its own.
 */
export function parseJsonBody(body: Buffer, maxDepth: number): unknown {
  if (body.length === 0) throw refused('is empty')
  // Decoding would put a replacement character in the place of each broken one.
  if (!isUtf8(body)) throw refused('is not UTF-8')
  const text = body.toString('utf8', body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The error of the parser quotes the text.
    throw refused('is not valid JSON')
  }
  if (countKeys(value, maxDepth) !== countColons(text)) throw refused('names a key twice in one object')
  return value
}

function refused(why: string): AppError {
  return new AppError('invalid_input', `The body ${why}. Nothing was changed.`)
}

/** Keys of all objects in a parsed value. */
function countKeys(value: unknown, depthLeft: number): number {
  if (value === null || typeof value !== 'object') return 0
  if (depthLeft === 0) throw refused('nests too deep')
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item, depthLeft - 1)
    return count
  }
  for (const [key, child] of Object.entries(value)) {
    if (key === '__proto__' || (key === 'constructor' && typeof child === 'object'))
      throw refused(`holds the key ${key}, which no event has`)
    count += 1 + countKeys(child, depthLeft - 1)
  }
  return count
}

/** Colons outside strings: in valid JSON exactly one for each key as written, the ones that were overwritten included. */
function countColons(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3a) count++
    else if (code === 0x22) at = endOfString(text, at)
  }
  return count
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return at
  }
}
