/** A real HTTP server of the tests' that takes text messages. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface ReceivedText {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly message: { readonly to: string; readonly text: string; readonly id: string }
}

export interface SmsGateway {
  readonly url: string
  readonly texts: readonly ReceivedText[]
  /** How requests are answered, by 204 until it is replaced. */
  answer: (response: ServerResponse, count: number) => void
  /** Resolves when as many have come. */
  received(count: number): Promise<readonly ReceivedText[]>
  close(): Promise<void>
}

export async function startSmsGateway(): Promise<SmsGateway> {
  const texts: ReceivedText[] = []
  const waiting = new Set<() => void>()
  const server = createServer(async (request, response) => {
    const body = await text(request)
    texts.push({ method: request.method ?? '', headers: request.headers, body, message: JSON.parse(body) })
    gateway.answer(response, texts.length)
    for (const wake of waiting) wake()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const gateway: SmsGateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sms`,
    texts,
    answer: response => void response.writeHead(204).end(),
    received: count =>
      new Promise(resolve => {
        const look = () => {
          if (texts.length < count) return
          waiting.delete(look)
          resolve(texts)
        }
        waiting.add(look)
        look()
      }),
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return gateway
}
