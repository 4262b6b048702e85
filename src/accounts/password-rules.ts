/** Which passwords may be chosen, by NIST SP 800-63B-4: long ones that nobody would guess first, of whatever characters. */
import { isCommonPassword } from './common-passwords.ts'

export type PasswordRule = 'too_short' | 'too_long' | 'not_text' | 'common' | 'personal' | 'repeated' | 'sequence'

export interface PasswordFault {
  readonly rule: PasswordRule
  /** What is wrong and what to do, for people. */
  readonly detail: string
}

/** Code points. With four bytes each they fit into what is hashed. */
const MAX_PASSWORD_LENGTH = 256

/** A word of the context counts from here on, and so does what is left of a password without such words. */
const MIN_WORD = 3
const MIN_REST = 8

const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'yxcvbnm', 'azertyuiop', 'qsdfghjklm', '1234567890']
const NEIGHBOURS = new Set(ROWS.flatMap(row => [...row].slice(1).map((key, index) => `${row[index]}${key}`)))

/** @param context what a stranger knows: user name, address, names of the person and of the service */
export function passwordFault(
  password: string,
  { minLength, context }: { readonly minLength: number; readonly context: readonly string[] },
): PasswordFault | undefined {
  if (!password.isWellFormed() || /\p{Cc}/u.test(password))
    return fault('not_text', 'holds characters that are no text, such as control characters')
  // Counted as it is hashed: in NFC, by code points.
  const { length } = [...password.normalize('NFC')]
  if (length < minLength) return fault('too_short', `has ${length} characters, and ${minLength} are needed`)
  if (length > MAX_PASSWORD_LENGTH) return fault('too_long', `has more than ${MAX_PASSWORD_LENGTH} characters`)
  const plain = fold(password)
  if (isCommonPassword(plain) || isCommonPassword(core(plain)))
    return fault('common', 'is one that many people have, or that with something before or after it')
  const characters = [...plain]
  if (period(plain) * 2 <= plain.length) return fault('repeated', 'is one piece, repeated')
  if (new Set(characters).size < 5) return fault('repeated', 'has fewer than five different characters')
  if (shareOfSteps(characters) > 0.6) return fault('sequence', 'is mostly a row of the alphabet or of the keyboard')
  if (withoutWords(plain, context).length < MIN_REST)
    return fault('personal', 'is little more than your name, your address or the name of this service')
  return undefined
}

function fault(rule: PasswordRule, what: string): PasswordFault {
  return { rule, detail: `The password ${what}. It was not changed. Choose another one, such as several words.` }
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** Without digits, spaces and signs at either end. */
function core(plain: string): string {
  // Two passes over the ends: one pattern with both would look for its end again from each sign in the middle.
  const letters = [...plain]
  const isEdge = (letter: string | undefined) => letter !== undefined && !/\p{L}/u.test(letter)
  let [from, to] = [0, letters.length]
  while (from < to && isEdge(letters[from])) from++
  while (to > from && isEdge(letters[to - 1])) to--
  return letters.slice(from, to).join('')
}

/** Length of the piece that the text is made of, over and over (the last time perhaps in part). */
function period(text: string): number {
  // How much of what has been read is also its beginning (Knuth, Morris and Pratt).
  const border = [0]
  for (let at = 1; at < text.length; at++) {
    let length = border[at - 1] ?? 0
    while (length > 0 && text[at] !== text[length]) length = border[length - 1] ?? 0
    border.push(text[at] === text[length] ? length + 1 : 0)
  }
  return text.length - (border.at(-1) ?? 0)
}

/** How many of the steps from one character to the next repeat it, or go one on in the alphabet or the keyboard. */
function shareOfSteps(characters: readonly string[]): number {
  const pairs = characters.slice(1).map((next, index) => [characters[index] ?? '', next] as const)
  const steps = pairs.filter(([a, b]) => {
    const distance = (b.codePointAt(0) ?? 0) - (a.codePointAt(0) ?? 0)
    return Math.abs(distance) <= 1 || NEIGHBOURS.has(a + b) || NEIGHBOURS.has(b + a)
  })
  return steps.length / Math.max(1, pairs.length)
}

function withoutWords(plain: string, context: readonly string[]): string {
  const words = context.flatMap(text => {
    const folded = fold(text)
    return [folded, ...folded.split(/[^\p{L}\p{N}]+/u)]
  })
  const known = [...new Set(words)].filter(word => word.length >= MIN_WORD).toSorted((a, b) => b.length - a.length)
  return known.reduce((rest, word) => rest.replaceAll(word, ''), plain)
}
