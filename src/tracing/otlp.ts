/** An OpenTelemetry SDK of the node's own, which posts its spans to a collector. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Clock, Logger } from '../core/ports.ts'
import { waitAtMost } from '../core/waits.ts'
import { createSpanExport } from './span-export.ts'
import type { TracingOptions } from './tracing-options.ts'

export interface OtlpOptions extends TracingOptions {
  /** Name of the node. */
  readonly node: string
  readonly clock: Clock
  readonly log: Logger
}

export interface Otlp {
  readonly provider: TracerProvider
  /** Sends what waits, within reason; what a hanging collector keeps is dropped. */
  stop(): Promise<void>
}

const TIMEOUT_MS = 5_000
/** Also how long a collector that hangs can keep the process of a stopped node. */
const MAX_TIMEOUT_MS = 10_000
const STOP_PATIENCE_MS = 2_000

/** Nothing is sent yet: the collector need not be there, now or ever. */
export function createOtlp(options: OtlpOptions): Otlp {
  const { endpoint, node, clock, log, timeoutMs = TIMEOUT_MS } = options
  const agents = createAgents(options)
  const exporter = new OTLPTraceExporter({
    url: endpoint,
    timeoutMillis: Math.min(timeoutMs, MAX_TIMEOUT_MS),
    httpAgentOptions: agents.create,
  })
  const spans = createSpanExport({ exporter, log })
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': 'rootstream-runtime',
        'service.instance.id': node,
        ...options.attributes,
      }),
    ),
    sampler: samplerOf(options),
    spanProcessors: [spans.processor],
  })
  log.info({ collector: new URL(endpoint).host }, 'spans are sent to a collector')

  return {
    provider,
    stop: async () => {
      await waitAtMost(
        clock,
        STOP_PATIENCE_MS,
        provider.shutdown().catch(() => undefined),
      )
      agents.close()
      const dropped = spans.close()
      if (dropped > 0) log.warn({ dropped }, 'spans did not reach the collector')
    },
  }
}

function samplerOf({ sampler = 'parentbased_always_on', ratio = 1 }: TracingOptions): Sampler {
  const root = sampler.endsWith('always_on')
    ? new AlwaysOnSampler()
    : sampler.endsWith('always_off')
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(ratio)
  return sampler.startsWith('parentbased') ? new ParentBasedSampler({ root }) : root
}

/** Connections that can be cut: one that hangs would keep the process from ending. */
function createAgents({ tls = {}, timeoutMs = TIMEOUT_MS, log }: OtlpOptions) {
  const opened: http.Agent[] = []
  const connection = { keepAlive: true, timeout: timeoutMs }
  const pem = Object.entries(tls).flatMap(([name, file]) => {
    try {
      return [[name, readFileSync(file)]]
    } catch (error) {
      log.warn(
        { file, error: String(error) },
        'a PEM file for the trace collector cannot be read; tracing goes on without',
      )
      return []
    }
  })
  return {
    create: (protocol: string): http.Agent | https.Agent => {
      const agent =
        protocol === 'https:'
          ? new https.Agent({ ...connection, ...Object.fromEntries(pem) })
          : new http.Agent(connection)
      opened.push(agent)
      return agent
    },
    close: () => {
      for (const agent of opened) {
        // The exporter would try once more on a new connection.
        agent.createConnection = () => {
          throw new Error('the node has stopped')
        }
        agent.destroy()
      }
    },
  }
}
