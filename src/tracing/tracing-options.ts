/** How tracing is set up; of types alone, so that a node without it loads nothing. */
export type { TracerProvider } from '@opentelemetry/api'

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

/** Spans sent over OTLP/HTTP, in the form of OTEL_… variables. */
export interface TracingOptions {
  /** Where spans are posted to: `http://localhost:4318/v1/traces`. May carry credentials. */
  readonly endpoint: string
  /** Default `parentbased_always_on`. */
  readonly sampler?: (typeof SAMPLERS)[number]
  /** Share of traces that a `…traceidratio` sampler takes, 0 to 1; default 1. */
  readonly ratio?: number
  /** Of the resource: `service.name` and others. */
  readonly attributes?: Readonly<Record<string, string>>
  /** What one request to the collector may take with its retries, at most 10,000; default 5,000. */
  readonly timeoutMs?: number
  /** PEM files for https. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}
