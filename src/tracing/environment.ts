/** Reads the standard OTEL_… variables. None of them keeps a node from starting: what cannot be used is warned of and passed over. */
import { z } from 'zod'
import { SAMPLERS, type TracingOptions } from './tracing-options.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface TracingConfig {
  /** Undefined: tracing is off. */
  readonly tracing: TracingOptions | undefined
  readonly warnings: readonly string[]
}

const text = z.string().max(4_096)
const endpoint = text.refine(value => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol))
const pairs = text
  .transform(value => value.split(',').filter(pair => pair.trim() !== ''))
  .refine(list => list.every(pair => /^[^=]+=/.test(pair) && decodes(pair)))
  .transform(list =>
    Object.fromEntries(
      list.map((pair): [string, string] => {
        const [name = '', ...value] = pair.split('=')
        return [decodeURIComponent(name.trim()), decodeURIComponent(value.join('=').trim())]
      }),
    ),
  )
const whole = z
  .string()
  .regex(/^[1-9]\d{0,8}$/)
  .transform(Number)

/** Each variable with what it takes, which the warning quotes; the value itself may be a secret and is never shown. */
const VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: [endpoint, 'http(s)://host[:port][/path]'],
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: [endpoint, 'http(s)://host[:port]/path'],
  OTEL_EXPORTER_OTLP_TIMEOUT: [whole, 'milliseconds'],
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: [whole, 'milliseconds'],
  OTEL_EXPORTER_OTLP_CERTIFICATE: [text, 'the path of a PEM file'],
  OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: [text, 'the path of a PEM file'],
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: [text, 'the path of a PEM file'],
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: [text, 'the path of a PEM file'],
  OTEL_EXPORTER_OTLP_CLIENT_KEY: [text, 'the path of a PEM file'],
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: [text, 'the path of a PEM file'],
  OTEL_RESOURCE_ATTRIBUTES: [pairs, 'key=value,key=value, percent-encoded'],
  OTEL_SERVICE_NAME: [z.string().max(200), 'a name of at most 200 characters'],
  OTEL_TRACES_SAMPLER: [z.enum(SAMPLERS), SAMPLERS.join(', ')],
  OTEL_TRACES_SAMPLER_ARG: [z.coerce.number().min(0).max(1), 'a number from 0 to 1'],
} as const

type Name = keyof typeof VARIABLES

export function readTracing(env: Environment): TracingConfig {
  const given = (name: string) => env[name]?.trim() || undefined
  const off = { tracing: undefined, warnings: [] }
  if (given('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return off
  const exporters = given('OTEL_TRACES_EXPORTER')?.split(',') ?? ['otlp']
  if (!exporters.includes('otlp')) return off
  if ((given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? given('OTEL_EXPORTER_OTLP_ENDPOINT')) === undefined) return off

  const warnings: string[] = []
  const read = <Key extends Name>(name: Key): z.output<(typeof VARIABLES)[Key][0]> | undefined => {
    const value = given(name)
    if (value === undefined) return undefined
    const [schema, form] = VARIABLES[name]
    const parsed = schema.safeParse(value)
    if (!parsed.success) warnings.push(`${name} is passed over: it must be ${form}.`)
    return parsed.data as z.output<(typeof VARIABLES)[Key][0]> | undefined
  }
  const common = read('OTEL_EXPORTER_OTLP_ENDPOINT')
  const url = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? (common && `${common.replace(/\/+$/, '')}/v1/traces`)
  if (url === undefined) return { tracing: undefined, warnings: [...warnings, 'No spans are sent.'] }

  if ((given('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? given('OTEL_EXPORTER_OTLP_PROTOCOL')) === 'grpc')
    warnings.push('Spans are sent over HTTP: the endpoint must be one that takes OTLP/HTTP, not gRPC.')
  const sampler = read('OTEL_TRACES_SAMPLER')
  const ratio = read('OTEL_TRACES_SAMPLER_ARG')
  const service = read('OTEL_SERVICE_NAME')
  const timeoutMs = read('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT') ?? read('OTEL_EXPORTER_OTLP_TIMEOUT')
  const ca = read('OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE') ?? read('OTEL_EXPORTER_OTLP_CERTIFICATE')
  const cert = read('OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE') ?? read('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE')
  const key = read('OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY') ?? read('OTEL_EXPORTER_OTLP_CLIENT_KEY')
  return {
    tracing: {
      endpoint: url,
      attributes: {
        ...read('OTEL_RESOURCE_ATTRIBUTES'),
        ...(service === undefined ? {} : { 'service.name': service }),
      },
      ...(sampler === undefined ? {} : { sampler }),
      ...(ratio === undefined ? {} : { ratio }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      },
    },
    warnings,
  }
}

function decodes(value: string): boolean {
  try {
    decodeURIComponent(value)
    return true
  } catch {
    return false
  }
}
