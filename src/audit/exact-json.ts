/** One text for each JSON value, whatever its formatting: sorted keys, no spaces, and numbers that are not rounded. */

/** Digits in a row that a double might not hold: fewer than 16 always come back as they were. */
const LONG_NUMBER = /[\d.]{16}/
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i

/** A number that no double equals, as digits and exponent. */
class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

// The type library does not know that a reviver is told the source text.
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/** As RFC 8785 where every number is a double; other numbers are digits and exponent, `12e-30`. */
export function exactJson(json: string): string {
  return write(LONG_NUMBER.test(json) ? parseWithSource(json, keepExact) : JSON.parse(json))
}

function write(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (value instanceof ExactNumber) return value.text
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  let text = ''
  for (const key of Object.keys(value).sort())
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${write((value as Record<string, unknown>)[key])}`
  return `{${text}}`
}

function keepExact(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined) return value
  const exact = decimal(source)
  return exact === decimal(String(value)) ? value : new ExactNumber(exact ?? source)
}

/** `-0.00120` as `-12e-4`: equal numbers give equal texts. */
function decimal(text: string): string | undefined {
  const [, sign = '', whole, fraction = '', exponent = '0'] = NUMBER.exec(text) ?? []
  if (whole === undefined) return undefined
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
