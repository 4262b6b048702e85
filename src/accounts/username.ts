/** Which user names may be taken, and in which form they are kept. */

/** Code points. */
const MAX_USERNAME = 64

/** Names in one script, or in several that are written together (UTS 39, "highly restrictive"). Digits and signs are of all scripts. */
const TOGETHER = [
  ['Latin'],
  ['Cyrillic'],
  ['Greek'],
  ['Armenian'],
  ['Georgian'],
  ['Hebrew'],
  ['Arabic'],
  ['Devanagari'],
  ['Bengali'],
  ['Gurmukhi'],
  ['Gujarati'],
  ['Tamil'],
  ['Telugu'],
  ['Kannada'],
  ['Malayalam'],
  ['Sinhala'],
  ['Thai'],
  ['Lao'],
  ['Khmer'],
  ['Myanmar'],
  ['Tibetan'],
  ['Ethiopic'],
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
].map(scripts => {
  const any = [...scripts, 'Common', 'Inherited'].map(script => `\\p{Script_Extensions=${script}}`).join('')
  return new RegExp(`^[${any}]+$`, 'u')
})

/** Begins and ends with a letter or a digit; points, lines and dashes stand alone between. */
const FORM = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:[._-][\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*$/u
const PILED_MARKS = /\p{M}{4}/u

/** The name as it is kept, or what is wrong with it. */
export function parseUsername(given: string): { readonly name: string } | { readonly fault: string } {
  // Bounded first: NFKC makes some characters eighteen times as long.
  if (given.length > 4 * MAX_USERNAME || !given.isWellFormed()) return { fault: TOO_LONG }
  const name = given.normalize('NFKC')
  if ([...name].length > MAX_USERNAME) return { fault: TOO_LONG }
  if (!FORM.test(name) || PILED_MARKS.test(name))
    return { fault: 'A user name has letters, digits and, alone between them, points, underscores and dashes.' }
  if (!TOGETHER.some(scripts => scripts.test(name)))
    return { fault: 'A user name is written in one script: letters of several look alike.' }
  return { name }
}

const TOO_LONG = `A user name has at most ${MAX_USERNAME} characters.`

/** Text that people are shown: no line breaks, no control characters, and none that turn the direction of writing. */
export function isPlainLine(text: string): boolean {
  return text.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(text)
}
