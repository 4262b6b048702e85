/** A bus that can say how it is doing. */
import type { Bus } from '../core/ports.ts'

/** Counts since the start. */
export type BusStats = Readonly<{
  framesSent: number
  /** Frames with events of other nodes that were handed to listeners. */
  framesReceived: number
  /** How often listeners were told to catch up from the log. */
  gaps: number
  /** Frames that were thrown away: the sum of the reasons below. */
  dropped: number
}> &
  Readonly<Drops>

export type Drops = {
  /** Outgoing: too much waited already, or the connection broke under it. */
  unsent: number
  oversize: number
  malformed: number
  /** Without the signature of a node of this log. */
  forged: number
  /** Of a node that runs another version of the frame format. */
  foreignVersion: number
  /** Heard before, or later than a frame that was sent after it. */
  repeated: number
}

export interface MonitoredBus extends Bus {
  stats(): BusStats
}

export function noDrops(): Drops {
  return { unsent: 0, oversize: 0, malformed: 0, forged: 0, foreignVersion: 0, repeated: 0 }
}

export function sumOfDrops(drops: Readonly<Drops>): number {
  return Object.values(drops).reduce((sum, count) => sum + count, 0)
}
