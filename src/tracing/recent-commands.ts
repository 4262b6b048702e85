/** The trace each of the last events came from, so that what is done for them later can be tied to it. */
import { type SpanContext, TraceFlags } from '@opentelemetry/api'

export class RecentCommands {
  readonly #limit: number
  readonly #byPosition = new Map<number, SpanContext>()

  constructor(limit: number) {
    this.#limit = limit
  }

  set(position: number, context: SpanContext): void {
    this.#byPosition.set(position, context)
    if (this.#byPosition.size <= this.#limit) return
    const [oldest] = this.#byPosition.keys()
    if (oldest !== undefined) this.#byPosition.delete(oldest)
  }

  get(position: number): SpanContext | undefined {
    return this.#byPosition.get(position)
  }

  /** Those of the events after `from` up to `to`, each once. */
  between(from: number, to: number): readonly SpanContext[] {
    const found = new Set<SpanContext>()
    // Positions have gaps, and a page of old events may span more of them than are kept.
    if (to - from <= this.#byPosition.size)
      for (let position = from + 1; position <= to; position++) {
        const context = this.#byPosition.get(position)
        if (context !== undefined) found.add(context)
      }
    else for (const [position, context] of this.#byPosition) if (position > from && position <= to) found.add(context)
    return [...found]
  }
}

/** What serves several commands is told in the trace of the first that is recorded, with links to the others that are. */
export function parentAndLinks(contexts: readonly SpanContext[]): {
  readonly parent: SpanContext | undefined
  readonly links: readonly { readonly context: SpanContext }[]
} {
  const [first, ...others] = contexts.filter(isSampled)
  return { parent: first ?? contexts[0], links: others.slice(0, MAX_LINKS).map(context => ({ context })) }
}

/** What the SDK keeps of them by default. */
const MAX_LINKS = 128

export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0
}
