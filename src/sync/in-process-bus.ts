/** The bus of a node without Redis: nodes of one process that share a hub hear each other. */
import type { Frame, Logger } from '../core/ports.ts'
import { createListeners } from './listeners.ts'
import { type MonitoredBus, noDrops } from './monitored-bus.ts'

/** What buses of one process meet at. */
export interface InProcessHub {
  readonly members: Set<(frame: Frame) => void>
}

export function createInProcessHub(): InProcessHub {
  return { members: new Set() }
}

export interface InProcessBusOptions {
  readonly node: string
  readonly incarnation: number
  readonly log: Logger
  /** Default one of its own: nobody else hears or is heard. */
  readonly hub?: InProcessHub
}

export function createInProcessBus(options: InProcessBusOptions): MonitoredBus {
  const { node, incarnation, log, hub = createInProcessHub() } = options
  const frames = createListeners<Frame>('frames', log)
  const gaps = createListeners<void>('gaps', log)
  const counts = { framesSent: 0, framesReceived: 0, gaps: 0 }
  let running = false
  let stopped = false

  const receive = (frame: Frame) => {
    if (!running || (frame.node === node && frame.incarnation === incarnation)) return
    counts.framesReceived++
    frames.emit(frame)
  }

  return {
    async start() {
      if (running || stopped) return
      running = true
      hub.members.add(receive)
      counts.gaps++
      gaps.emit()
    },
    async stop() {
      running = false
      stopped = true
      hub.members.delete(receive)
    },
    publish(frame) {
      if (!running || frame.events.length === 0) return
      counts.framesSent++
      const receivers = [...hub.members]
      // Later, so that no receiver runs inside the sender's call; microtasks keep the order.
      queueMicrotask(() => {
        for (const receiver of receivers) receiver(frame)
      })
    },
    onFrame: listener => frames.add(listener),
    onGap: listener => gaps.add(() => listener()),
    get healthy() {
      return running
    },
    warnings: () => [],
    stats: () => ({ ...counts, dropped: 0, ...noDrops() }),
  }
}
