/** Reads server-sent events as a browser would: by the blank line, with the fields of each. */

export interface ServerSentEvent {
  readonly id: number
  readonly event: string
  readonly data: Record<string, unknown>
}

export interface SseClient {
  readonly status: number
  readonly headers: Headers
  /** Lines that are no event: comments, `retry`. */
  readonly asides: readonly string[]
  /** The next events, as many as asked for. Rejects where the stream ends before. */
  take(count: number): Promise<readonly ServerSentEvent[]>
  /** Resolves with the aside once it has come. */
  aside(text: string): Promise<void>
  /** Resolves with the events that were not taken, when the server has ended the stream. */
  rest(): Promise<readonly ServerSentEvent[]>
  /** Breaks the connection. */
  close(): void
}

export async function openSse(url: string, token: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const abort = new AbortController()
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}`, ...headers }, signal: abort.signal })
  const events: ServerSentEvent[] = []
  const asides: string[] = []
  let ended = false
  let changed = Promise.withResolvers<void>()
  const notify = () => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  const until = async (holds: () => boolean, what: string) => {
    while (!holds()) {
      if (ended) throw new Error(`the stream ended before ${what}`)
      await changed.promise
    }
  }
  void (async () => {
    let text = ''
    const decoder = new TextDecoder()
    try {
      for await (const chunk of answer.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) {
          const parsed = parseBlock(block)
          if (parsed === undefined) asides.push(block)
          else events.push(parsed)
        }
        notify()
      }
    } catch {
      // Closed by this side, or cut off by the other.
    }
    ended = true
    notify()
  })()
  return {
    status: answer.status,
    headers: answer.headers,
    asides,
    async take(count) {
      await until(() => events.length >= count, `event ${count}`)
      return events.splice(0, count)
    },
    aside: text => until(() => asides.includes(text), `'${text}'`),
    async rest() {
      while (!ended) await changed.promise
      return events.splice(0)
    },
    close: () => abort.abort(),
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ')
    if (fields.has(line.slice(0, colon))) throw new Error(`a field twice: ${line}`)
    fields.set(line.slice(0, colon), line.slice(colon + 2))
  }
  const [id, event, data] = [fields.get('id'), fields.get('event'), fields.get('data')]
  if (id === undefined || event === undefined || data === undefined) return undefined
  return { id: Number(id), event, data: JSON.parse(data) }
}
