/** A tracer provider that keeps what it is told, and ways to look at it. */
import { SpanStatusCode } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

export interface FinishedSpans {
  readonly provider: TracerProvider
  all(): readonly ReadableSpan[]
  /** The only one of that name that has the attributes. */
  one(name: string, attributes?: Readonly<Record<string, unknown>>): ReadableSpan
  named(name: string): readonly ReadableSpan[]
}

export function finishedSpans(options: ConstructorParameters<typeof TracerProvider>[0] = {}): FinishedSpans {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ ...options, spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const all = () => exporter.getFinishedSpans()
  const named = (name: string) => all().filter(span => span.name === name)
  return {
    provider,
    all,
    named,
    one: (name, attributes = {}) => {
      const wanted = Object.entries(attributes)
      const found = named(name).filter(span => wanted.every(([key, value]) => span.attributes[key] === value))
      const [span] = found
      if (span === undefined || found.length > 1)
        throw new Error(`${found.length} spans '${name}' among: ${all().map(({ name: other }) => other)}`)
      return span
    },
  }
}

/** What says of a span where it hangs. */
export function placeOf(span: ReadableSpan): { traceId: string; spanId: string; parent: string | undefined } {
  const { traceId, spanId } = span.spanContext()
  return { traceId, spanId, parent: span.parentSpanContext?.spanId }
}

export function failed(span: ReadableSpan): boolean {
  return span.status.code === SpanStatusCode.ERROR
}
