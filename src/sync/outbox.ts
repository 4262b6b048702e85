/** Holds outgoing frames while the link is down, within a bound of bytes: past it frames are dropped, never kept. */

export interface Outbox {
  /** Sends at once where the link is up. Returns false where the frame was dropped. */
  push(payload: string): boolean
  /** The link is up: sends what waited, in order. */
  open(): void
  /** The link is down: what was under way may or may not arrive, and is not sent again. */
  close(): void
}

export interface OutboxOptions {
  /** Bytes that may wait or be unanswered. */
  readonly maxBytes: number
  readonly send: (payload: string) => Promise<unknown>
  readonly onSent: () => void
  readonly onFailed: (err: unknown) => void
}

export function createOutbox({ maxBytes, send, onSent, onFailed }: OutboxOptions): Outbox {
  let waiting: { readonly payload: string; readonly size: number }[] = []
  let bytes = 0
  // Counts links, so that the answer to a frame of an earlier one does not give bytes back twice.
  let link = 0
  let up = false

  const transmit = (payload: string, size: number) => {
    const sentOn = link
    const done = () => {
      if (sentOn === link) bytes -= size
    }
    send(payload).then(
      () => {
        done()
        onSent()
      },
      err => {
        done()
        onFailed(err)
      },
    )
  }

  return {
    push(payload) {
      const size = Buffer.byteLength(payload)
      if (bytes + size > maxBytes) return false
      bytes += size
      if (up) transmit(payload, size)
      else waiting.push({ payload, size })
      return true
    },
    open() {
      up = true
      const frames = waiting
      waiting = []
      for (const { payload, size } of frames) transmit(payload, size)
    },
    close() {
      up = false
      link++
      bytes = waiting.reduce((sum, { size }) => sum + size, 0)
    },
  }
}
