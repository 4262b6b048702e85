/** Input that fits a JSON Schema of the API document, and the same with one text of it replaced. */
import { resolve } from './json-schema.ts'

type Schema = Readonly<Record<string, unknown>>

/** The smallest value that fits, as far as the schemas of requests go. Objects have all of their fields. */
export function sampleOf(schema: Schema, document: object): unknown {
  if (typeof schema['$ref'] === 'string') return sampleOf(resolve(schema['$ref'], document), document)
  if ('const' in schema) return schema['const']
  const choices = (schema['enum'] ?? undefined) as readonly unknown[] | undefined
  if (choices !== undefined) return choices[0]
  const variants = (schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf']) as readonly Schema[] | undefined
  if (variants !== undefined) return sampleOf(variants[0] ?? {}, document)
  switch ([schema['type']].flat()[0]) {
    case 'object':
      return Object.fromEntries(
        Object.entries((schema['properties'] ?? {}) as Record<string, Schema>).map(([name, field]) => [
          name,
          sampleOf(field, document),
        ]),
      )
    case 'array':
      return [sampleOf((schema['items'] ?? {}) as Schema, document)]
    case 'integer':
    case 'number':
      return Math.max(1, Number(schema['minimum'] ?? 1))
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return schema['format'] === 'email' ? 'a@example.org' : 'x'.repeat(Math.max(1, Number(schema['minLength'] ?? 1)))
  }
}

/** Each place in a value, as its path, with what is there. */
export function placesIn(value: unknown, path: readonly (string | number)[] = []): readonly Place[] {
  if (value === null || typeof value !== 'object') return [{ path, value }]
  const inside = Object.entries(value).flatMap(([key, child]) =>
    placesIn(child, [...path, Array.isArray(value) ? Number(key) : key]),
  )
  return inside
}

export interface Place {
  readonly path: readonly (string | number)[]
  readonly value: unknown
}

/** A copy with another value in that place. */
export function replaced(value: unknown, [step, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (step === undefined) return by
  const copy = structuredClone(value) as Record<string | number, unknown>
  copy[step] = replaced(copy[step], rest, by)
  return copy
}
