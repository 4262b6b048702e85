/** The page of the events: what each carries, in which version, and which states take it. */
import { z } from 'zod'
import type { EntityDefinition, EventDefinition } from '../../src/machines/define.ts'
import type { MergeRule } from '../../src/machines/merge-rules.ts'
import { idOf, type MachineModel, modelOf } from './machine-model.ts'
import { code, codes, GENERATED, table } from './markdown.ts'

/** The part of JSON Schema that event schemas lead to. */
interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
}

export function eventsPage(entities: readonly EntityDefinition[]): string {
  return `# Events

${GENERATED} Source: \`events.ts\` of each entity in \`src/machines\`.

The data of an event lies flat beside its \`type\`; unknown fields are refused. Lengths count characters. An internal event is sent by the runtime alone: due timers, ends of effects, imports. An event of an older version stays in the log as it is and is brought to the newest version when it is read. What is merged by a rule may be accepted while the log is away ([ADR 13](../adr/0013-merging.md)); of some events not every one.

${entities.map(section).join('\n\n')}
`
}

function section(entity: EntityDefinition): string {
  const model = modelOf(entity)
  return [
    `## ${entity.type}`,
    ...Object.entries(entity.events).map(([type, definition]) =>
      eventPart(model, type, definition, entity.merge[type]),
    ),
  ].join('\n\n')
}

function eventPart(
  model: MachineModel,
  type: string,
  { version, schema, upcasters, internal }: EventDefinition,
  rule: MergeRule | undefined,
): string {
  const older = Object.keys(upcasters)
  const facts = [
    `Version ${version}${older.length === 0 ? '' : `, reads ${older.join(', ')} too`}`,
    ...(internal ? ['internal'] : []),
    `taken in ${codes(takenIn(model, type)) || 'no state'}`,
    ...(rule === undefined
      ? []
      : [`merged by ${code(rule.strategy)}${rule.accepts === undefined ? '' : ', not every one'}`]),
  ]
  const fields = fieldRows(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, schema, '')
  const rules = messagesOf(schema)
  return [
    `### ${code(type)}`,
    `${facts.join(', ')}.${fields.length === 0 ? ' No fields.' : ''}`,
    ...(fields.length === 0 ? [] : [table(['field', 'type', ''], fields)]),
    ...(rules.length === 0 ? [] : [`Refused where it ${rules.join(', or ')}.`]),
  ].join('\n\n')
}

function takenIn({ transitions }: MachineModel, type: string): readonly string[] {
  return [...new Set(transitions.filter(({ event }) => event === type).map(({ from }) => idOf(from) || 'any state'))]
}

function fieldRows(json: JsonSchema, schema: z.ZodObject, prefix: string): string[][] {
  return Object.entries(json.properties ?? {}).flatMap(([name, field]) => {
    const inner = unwrap(schema.shape[name])
    const described = describeType(field)
    const optional = json.required?.includes(name) ? '' : 'optional'
    const row = [code(`${prefix}${name}`), `${described}${exceptions(inner, described)}`, optional]
    return inner instanceof z.ZodObject ? [row, ...fieldRows(field, inner, `${prefix}${name}.`)] : [row]
  })
}

/** In a few words: `integer 1 to 10`, `string (1 to 255 characters)`, `'a' or 'b'`, `… or null`. */
export function describeType(json: JsonSchema): string {
  if (json.anyOf !== undefined) return alternatives(json.anyOf.map(describeType))
  const { type } = json
  if (Array.isArray(type)) return alternatives(type.map(one => describeType({ ...json, type: one })))
  if (json.enum !== undefined) return alternatives(json.enum.map(value => code(JSON.stringify(value))))
  if (json.const !== undefined) return code(JSON.stringify(json.const))
  switch (type) {
    case 'integer':
    case 'number':
      return `${type}${range(json.minimum, json.maximum)}`
    case 'string':
      return describeString(json)
    case 'array':
      return `list of ${describeType(json.items ?? {})}${sized(json.minItems, json.maxItems, 'entries')}`
    case undefined:
      return 'anything'
    default:
      return String(type)
  }
}

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': 'time (ISO 8601 with its zone)',
  ipv4: 'IPv4 address',
  ipv6: 'IPv6 address',
}

function describeString({ format, pattern, minLength, maxLength }: JsonSchema): string {
  if (format !== undefined) return FORMATS[format] ?? `string (${format})`
  return `string${sized(minLength, maxLength, 'characters')}${pattern === undefined ? '' : ` that matches ${code(pattern)}`}`
}

function range(minimum: number | undefined, maximum: number | undefined): string {
  // The bounds of exact numbers are those of every integer here.
  const low = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum
  const high = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (low !== undefined && high !== undefined) return ` ${low} to ${high}`
  if (low !== undefined) return ` from ${low}`
  return high === undefined ? '' : ` up to ${high}`
}

function sized(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined && most === undefined) return ''
  if (most === undefined) return ` (at least ${least} ${unit})`
  return least === undefined ? ` (at most ${most} ${unit})` : ` (${least} to ${most} ${unit})`
}

/** Null comes last, and a type that is named twice stands once. */
function alternatives(texts: readonly string[]): string {
  const kinds = [...new Set(texts)]
  return [...kinds.filter(text => text !== 'null'), ...kinds.filter(text => text === 'null')].join(' or ')
}

/** What JSON Schema cannot say: rules of our own, in the words in which they refuse. */
function exceptions(schema: z.ZodType | undefined, described: string): string {
  const own = messagesOf(schema).filter(text => !described.includes(text.replace('longer than ', '')))
  return own.length === 0 ? '' : `, refused where ${own.join(', or ')}`
}

function messagesOf(schema: z.ZodType | undefined): readonly string[] {
  const { checks = [] } = (schema?.def ?? {}) as { checks?: readonly z.core.$ZodCheck[] }
  return checks.flatMap(({ _zod: { def } }) => {
    if (def.check !== 'custom') return []
    const message = def.error?.({ code: 'custom', input: undefined, path: [] } as never)
    return typeof message === 'string' ? [message] : message?.message === undefined ? [] : [message.message]
  })
}

function unwrap(schema: unknown): z.ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap())
  return schema instanceof z.ZodType ? schema : undefined
}
