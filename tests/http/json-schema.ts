/** A check of values against JSON Schema (2020-12), as far as the API document uses it; what it does not know is an error. */

type Schema = Readonly<Record<string, unknown>>

const IGNORED = new Set(['description', 'title', 'format'])

/** Says where the value differs from the schema; empty where it fits. `format` is not looked at. */
export function differences(value: unknown, schema: Schema, document: object, at = '$'): readonly string[] {
  const again = (child: unknown, sub: unknown, where: string) => differences(child, sub as Schema, document, where)
  const wrong: string[] = []
  const must = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`${at}: ${what}`)
  }
  for (const [keyword, given] of Object.entries(schema)) {
    if (IGNORED.has(keyword)) continue
    const list = given as readonly unknown[]
    switch (keyword) {
      case '$ref':
        wrong.push(...again(value, resolve(String(given), document), at))
        break
      case 'type':
        must(
          [given].flat().some(type => isA(value, String(type))),
          `is no ${given}`,
        )
        break
      case 'const':
        must(value === given, `is not ${given}`)
        break
      case 'enum':
        must(list.includes(value), `is none of ${given}`)
        break
      case 'anyOf':
        must(
          list.some(sub => again(value, sub, at).length === 0),
          'fits none',
        )
        break
      case 'oneOf': {
        const fits = list.filter(sub => again(value, sub, at).length === 0).length
        must(fits === 1, `fits ${fits} instead of one`)
        break
      }
      case 'allOf':
        for (const sub of list) wrong.push(...again(value, sub, at))
        break
      case 'minimum':
        must(typeof value !== 'number' || value >= Number(given), `is below ${given}`)
        break
      case 'maximum':
        must(typeof value !== 'number' || value <= Number(given), `is above ${given}`)
        break
      case 'minLength':
        must(typeof value !== 'string' || [...value].length >= Number(given), `is shorter than ${given}`)
        break
      case 'maxLength':
        must(typeof value !== 'string' || [...value].length <= Number(given), `is longer than ${given}`)
        break
      case 'pattern':
        must(typeof value !== 'string' || new RegExp(String(given), 'u').test(value), `does not match ${given}`)
        break
      case 'minItems':
        must(!Array.isArray(value) || value.length >= Number(given), `has fewer than ${given}`)
        break
      case 'maxItems':
        must(!Array.isArray(value) || value.length <= Number(given), `has more than ${given}`)
        break
      case 'items':
        if (Array.isArray(value))
          value.forEach((item, index) => {
            wrong.push(...again(item, given, `${at}[${index}]`))
          })
        break
      case 'required':
        if (isA(value, 'object'))
          for (const key of list) must(Object.hasOwn(value as object, String(key)), `lacks ${key}`)
        break
      case 'properties':
      case 'propertyNames':
      case 'additionalProperties':
        break
      default:
        throw new Error(`${at}: the check does not know the keyword ${keyword}`)
    }
  }
  if (isA(value, 'object')) {
    const properties = (schema['properties'] ?? {}) as Record<string, unknown>
    for (const [key, child] of Object.entries(value as object)) {
      if (Object.hasOwn(properties, key)) wrong.push(...again(child, properties[key], `${at}.${key}`))
      else if (schema['additionalProperties'] === false) must(false, `has ${key}, which is not documented`)
      else if (typeof schema['additionalProperties'] === 'object')
        wrong.push(...again(child, schema['additionalProperties'], `${at}.${key}`))
      if (schema['propertyNames'] !== undefined)
        wrong.push(...again(key, schema['propertyNames'], `${at}.${key} (key)`))
    }
  }
  return wrong
}

/** What a reference of the document leads to. Throws where it leads nowhere. */
export function resolve(reference: string, document: object): Schema {
  let found: unknown = document
  for (const step of reference.replace(/^#\//, '').split('/'))
    found = (found as Record<string, unknown> | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  if (found === undefined) throw new Error(`the document has no ${reference}`)
  return found as Schema
}

function isA(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    default:
      return typeof value === type
  }
}
