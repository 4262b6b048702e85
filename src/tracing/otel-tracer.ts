/** Tells OpenTelemetry the way of each command. Whatever its SDK does, no command hears of it. */
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { AppError } from '../core/errors.ts'
import type { LogEvent } from '../core/event.ts'
import type { Logger } from '../core/ports.ts'
import type { CommandResult } from '../core/result.ts'
import type { AppendSpan, BatchStart, CommandSpan, CommandStart, ProjectionSpan, Tracer } from '../core/tracing.ts'
import { isSampled, parentAndLinks, RecentCommands } from './recent-commands.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

export interface OtelTracerOptions {
  readonly provider: TracerProvider
  readonly log: Logger
  /** What carries frames to other nodes, as `messaging.system` names it. */
  readonly messaging?: 'redis' | undefined
}

const SCOPE = 'rootstream-runtime'
/** Events whose trace is known, about a hundred bytes each. */
const RECENT = 4_096

/** Kept beside the handle, so that a batch finds the spans of its commands. */
class OtelCommandSpan implements CommandSpan {
  readonly span: Span
  readonly context: SpanContext
  readonly #recent: RecentCommands
  readonly #safely: Safely

  constructor(span: Span, recent: RecentCommands, safely: Safely) {
    this.span = span
    this.context = span.spanContext()
    this.#recent = recent
    this.#safely = safely
  }

  committed({ position }: LogEvent): void {
    if (isSpanContextValid(this.context)) this.#recent.set(position, this.context)
  }

  answered(result: CommandResult): void {
    this.#safely(() => {
      const { span } = this
      span.setAttribute('rootstream.actor.id', result.actor.id)
      if (result.tentative)
        span.setAttributes({ 'rootstream.outcome': 'tentative', 'rootstream.version': result.basis })
      else if (result.ok)
        span.setAttributes({
          'rootstream.outcome': result.repeated ? 'repeated' : 'accepted',
          'rootstream.version': result.event.version,
          'rootstream.position': result.event.position,
        })
      else
        span.setAttributes({
          'rootstream.outcome': 'refused',
          'rootstream.refusal.reason': result.reason,
          'rootstream.version': result.version,
        })
      span.end()
    })
  }

  failed(error: unknown): void {
    this.#safely(() => {
      this.span.setAttribute('rootstream.outcome', 'failed')
      fail(this.span, codeOf(error) ?? 'internal')
      this.span.end()
    })
  }
}

type Safely = <Result>(work: () => Result) => Result | undefined

export function createOtelTracer({ provider, log, messaging }: OtelTracerOptions): Tracer {
  const recent = new RecentCommands(RECENT)
  const tracer = provider.getTracer(SCOPE)
  let reported = false
  const safely: Safely = work => {
    try {
      return work()
    } catch (error) {
      if (!reported)
        log.warn({ error: String(error) }, 'a span could not be recorded; commands go on, and this is said once')
      reported = true
      return undefined
    }
  }
  /** A page or frame: in the trace of the first of its commands, whenever it began. */
  const served = (
    name: string,
    contexts: readonly SpanContext[],
    kind: SpanKind,
    attributes: Attributes,
    since?: number,
  ) => {
    const { parent, links } = parentAndLinks(contexts)
    const startTime = since === undefined ? {} : { startTime: since }
    return tracer.startSpan(name, { kind, attributes, links: [...links], ...startTime }, under(parent))
  }
  const frameAttributes = (events: readonly LogEvent[], type: 'send' | 'process', name: string): Attributes => ({
    'rootstream.position.first': events[0]?.position,
    'rootstream.position.last': events.at(-1)?.position,
    ...(messaging === undefined
      ? {}
      : { 'messaging.system': messaging, 'messaging.operation.type': type, 'messaging.operation.name': name }),
    ...(messaging !== undefined && events.length > 1 ? { 'messaging.batch.message_count': events.length } : {}),
  })
  let projectionFailed = false

  return {
    command: start =>
      safely(() => {
        const { parent, kind } = originOf(start, recent)
        const { actorType, actorId, eventType, causation } = start
        const attributes = {
          'rootstream.actor.type': actorType,
          'rootstream.actor.id': actorId,
          'rootstream.event.type': eventType,
          'rootstream.causation.position': causation,
        }
        const name = eventType === undefined ? 'command' : `command ${eventType}`
        return new OtelCommandSpan(tracer.startSpan(name, { kind, attributes }, parent), recent, safely)
      }),

    append: batch =>
      safely(() => {
        const attributes = batchAttributes(batch)
        const spans = batch.appends.map(({ spans = [] }) =>
          spans
            .filter(span => span instanceof OtelCommandSpan)
            .filter(({ context: parent }) => isSampled(parent))
            .map(parent => tracer.startSpan('append', { kind: SpanKind.CLIENT, attributes }, under(parent.context))),
        )
        return spans.some(({ length }) => length > 0) ? appendSpan(spans, safely) : undefined
      }),

    publish: events =>
      safely(() => {
        const contexts = [...new Set(events.flatMap(({ position }) => recent.get(position) ?? []))].filter(isSampled)
        if (contexts.length === 0) return undefined
        const kind = messaging === undefined ? SpanKind.INTERNAL : SpanKind.PRODUCER
        const span = served('publish', contexts, kind, frameAttributes(events, 'send', 'publish'))
        return { traceparent: formatTraceparent(span.spanContext()), ended: () => void safely(() => span.end()) }
      }),

    receive: (events, traceparent) =>
      safely(() => {
        const parent = parseTraceparent(traceparent)
        if (parent === undefined) return undefined
        for (const { position } of events) recent.set(position, parent)
        if (!isSampled(parent)) return undefined
        const span = served('receive', [parent], SpanKind.CONSUMER, frameAttributes(events, 'process', 'receive'))
        return { ended: () => void safely(() => span.end()) }
      }),

    projection: (): ProjectionSpan => {
      const since = performance.now()
      return {
        folded: ({ from, to, events }) => {
          projectionFailed = false
          if (events > 0)
            safely(() => {
              const attributes = {
                'rootstream.position.after': from,
                'rootstream.position.last': to,
                'rootstream.events': events,
              }
              const contexts = recent.between(from, to)
              served('projection', contexts, SpanKind.INTERNAL, attributes, since).end(performance.now())
            })
        },
        failed: error => {
          // It is tried again many times a second: the first failure says it all.
          if (!projectionFailed)
            safely(() => {
              const span = served('projection', [], SpanKind.INTERNAL, {}, since)
              fail(span, codeOf(error) ?? 'internal')
              span.end(performance.now())
            })
          projectionFailed = true
        },
      }
    },
  }
}

/**
 * What the command happens under: the trace its caller names, the span that is active in this process, or the command
 * that caused it. What the node sends itself runs in the context of whoever happened to wake it: that says nothing.
 */
function originOf(start: CommandStart, recent: RecentCommands): { parent: Context; kind: SpanKind } {
  const named = start.traceparent === undefined ? undefined : parseTraceparent(start.traceparent)
  if (named !== undefined) return { parent: under(named), kind: SpanKind.SERVER }
  const active = context.active()
  if (!start.internal && trace.getSpan(active) !== undefined) return { parent: active, kind: SpanKind.INTERNAL }
  const cause = start.causation === undefined ? undefined : recent.get(start.causation)
  return { parent: under(cause), kind: SpanKind.INTERNAL }
}

function under(parent: SpanContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
}

/** One statement serves many commands: each has a span of its own for it, with the same times and the same batch id. */
function batchAttributes({ id, database, appends }: BatchStart): Attributes {
  const { length } = appends
  return {
    'db.system.name': 'postgresql',
    'db.namespace': database,
    'db.operation.name': 'SELECT',
    'db.stored_procedure.name': 'append_batch',
    // The convention knows a batch from two on.
    ...(length > 1 ? { 'db.operation.batch.size': length } : {}),
    'rootstream.batch.id': id,
    'rootstream.batch.appends': length,
    'rootstream.batch.events': appends.reduce((sum, { events }) => sum + events.length, 0),
  }
}

/** @param spans of each append of the batch */
function appendSpan(spans: readonly (readonly Span[])[], safely: Safely): AppendSpan {
  let attempts = 1
  const each = (finish: (span: Span, append: number) => void) =>
    safely(() => {
      for (const [index, ofAppend] of spans.entries())
        for (const span of ofAppend) {
          if (attempts > 1) span.setAttribute('rootstream.batch.attempts', attempts)
          finish(span, index)
          span.end()
        }
    })
  return {
    resent: () => void attempts++,
    answered: outcomes =>
      void each((span, append) => span.setAttribute('rootstream.append.outcome', outcomes[append]?.outcome ?? '')),
    failed: (error, status) =>
      void each(span => {
        const state = status !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(status) ? status : undefined
        if (state !== undefined) span.setAttribute('db.response.status_code', state)
        fail(span, codeOf(error) ?? state ?? 'internal')
      }),
  }
}

/** By code alone: messages may name what no trace should hold. */
function fail(span: Span, code: string): void {
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR, message: code })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof AppError ? error.code : undefined
}
