/** Hands spans to an exporter in batches; what the exporter fails or hangs on is dropped, counted and said once. */

import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Logger } from '../core/ports.ts'
import { isSampled } from './recent-commands.ts'

export interface SpanExportOptions {
  readonly exporter: SpanExporter
  readonly log: Logger
  /** Spans that may wait, a kilobyte or two each; default 8192. */
  readonly limit?: number
}

export interface SpanExport {
  readonly processor: SpanProcessor
  /** Says nothing from now on; answers how many spans did not arrive. */
  close(): number
}

const LIMIT = 8_192
/** Of the SDK's ExportResultCode. */
const SUCCESS = 0

export function createSpanExport({ exporter, log, limit = LIMIT }: SpanExportOptions): SpanExport {
  let waiting = 0
  let sending = 0
  let dropped = 0
  let failing = false
  let closed = false
  const lose = (count: number, error: string) => {
    dropped += count
    if (!failing && !closed)
      log.warn({ error }, 'spans are dropped until the collector takes them again; commands go on')
    failing = true
  }
  const arrive = () => {
    if (failing && !closed) log.info({ dropped }, 'spans arrive again')
    failing = false
  }

  const counted: SpanExporter = {
    export: (spans: ReadableSpan[], done) => {
      waiting -= spans.length
      sending += spans.length
      const finish: typeof done = result => {
        sending -= spans.length
        if (result.code === SUCCESS) arrive()
        else lose(spans.length, result.error?.message || 'the collector did not take them')
        done(result)
      }
      try {
        exporter.export(spans, finish)
      } catch (error) {
        finish({ code: 1, error: error instanceof Error ? error : new Error(String(error)) })
      }
    },
    shutdown: () => exporter.shutdown(),
  }
  const batches = new BatchSpanProcessor({ exporter: counted, maxQueueSize: limit })

  return {
    processor: {
      onStart: () => {},
      onEnd: span => {
        if (!isSampled(span.spanContext())) return
        // Here, because the SDK drops what is too much without a word.
        if (waiting >= limit) return lose(1, 'the collector is too slow')
        waiting++
        batches.onEnd(span)
      },
      forceFlush: () => batches.forceFlush(),
      shutdown: () => batches.shutdown(),
    },
    close: () => {
      closed = true
      return dropped + waiting + sending
    },
  }
}
