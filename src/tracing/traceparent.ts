/** The W3C trace context header: `00-<trace id>-<span id>-<flags>`. https://www.w3.org/TR/trace-context/ */
import { isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api'

// A later version may add fields behind; what it means by the first four stays.
const FORM = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{1,400})?$/

/** Undefined for what is malformed: the standard says to go on without it. */
export function parseTraceparent(text: string): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = FORM.exec(text) ?? []
  if (version === '00' && more !== undefined) return undefined
  const sampled = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  const context = { traceId, spanId, traceFlags: sampled, isRemote: true }
  return isSpanContextValid(context) ? context : undefined
}

export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')}`
}
