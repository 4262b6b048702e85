/** Gathers what the appends of one committed batch have to tell, so that other nodes hear of it in one frame. */
import type { LogEvent } from '../core/event.ts'

export interface FrameBatcher {
  /** Events that are durable; those of later calls come behind them. */
  add(events: readonly LogEvent[]): void
  /** Passes on what was gathered, now. */
  flush(): void
}

export interface FrameBatcherOptions {
  readonly pass: (events: readonly LogEvent[]) => void
  /** Calls back when the present turn of the event loop has ended: until then all appends of a batch are answered. */
  readonly later?: (callback: () => void) => void
}

export function createFrameBatcher({ pass, later = setImmediate }: FrameBatcherOptions): FrameBatcher {
  let gathered: LogEvent[] = []
  const flush = () => {
    if (gathered.length === 0) return
    const events = gathered
    gathered = []
    pass(events)
  }
  return {
    add(events) {
      if (gathered.length === 0 && events.length > 0) later(flush)
      for (const event of events) gathered.push(event)
    },
    flush,
  }
}
