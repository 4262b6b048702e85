/** A collector that takes OTLP over HTTP, or refuses, or never answers. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Value {
  readonly stringValue?: string
  readonly intValue?: number
}

export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** Of the resource. */
  readonly service: string | undefined
  readonly attributes: ReadonlyMap<string, string | number | undefined>
}

export interface Collector {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** How often it was asked to take spans. */
  readonly requests: number
  close(): Promise<void>
}

/** @param status what it answers, or that it never does */
export async function startCollector(status: number | 'hangs' = 200): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  let requests = 0
  const server = createServer(async (request, response) => {
    requests++
    const body = (await json(request)) as Parameters<typeof spansOf>[0]
    if (status === 'hangs') return
    if (status === 200 && request.url === '/v1/traces') spans.push(...spansOf(body))
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get requests() {
      return requests
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

interface Pair {
  readonly key: string
  readonly value: Value
}

function spansOf(body: {
  resourceSpans: {
    resource: { attributes: Pair[] }
    scopeSpans: {
      spans: { name: string; traceId: string; spanId: string; parentSpanId?: string; attributes: Pair[] }[]
    }[]
  }[]
}): readonly ReceivedSpan[] {
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId, spanId, parentSpanId, attributes }) => ({
        name,
        traceId,
        spanId,
        parentSpanId,
        service: mapOf(resource.attributes).get('service.name')?.toString(),
        attributes: mapOf(attributes),
      })),
    ),
  )
}

function mapOf(pairs: readonly Pair[]): ReadonlyMap<string, string | number | undefined> {
  return new Map(pairs.map(({ key, value }) => [key, value.stringValue ?? value.intValue]))
}
