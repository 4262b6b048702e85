/** Clients that hear live figures as they change: each is told the newest value of a figure when it has read what came before. */
import type { ServerResponse } from 'node:http'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import type { LiveChange } from '../../live/changes.ts'
import { matchPattern } from '../../sync/patterns.ts'
import { writeSseHead } from './sse-head.ts'

const HEARTBEAT_MS = 15_000
/** A client that reads nothing for so many heartbeats is let go. */
const MAX_STALLED = 4
/** Figures that may wait for a client; of what is beyond it hears when they change again. */
const MAX_WAITING = 10_000

export interface LiveStreams {
  readonly open: number
  /** Throws AppError `invalid_input`, `overloaded`, `shutting_down`. */
  prepare(topic: string): (out: ServerResponse) => void
  stop(): void
}

export interface LiveStreamsOptions {
  readonly node: RuntimeNode
  readonly clock: Clock
  /** Streams that may be open at the same time. */
  readonly limit: number
}

export function createLiveStreams({ node, clock, limit }: LiveStreamsOptions): LiveStreams {
  const open = new Set<ServerResponse>()
  let stopped = false
  return {
    get open() {
      return open.size
    },
    prepare(topic) {
      matchPattern(topic, '')
      if (stopped) throw new AppError('shutting_down', 'The node is stopping. Go on with another, or again later.')
      if (open.size >= limit)
        throw new AppError(
          'overloaded',
          `As many streams of live figures as the node serves are open: ${limit}. Try again later, or another node.`,
        )
      return out => {
        if (out.destroyed) return
        open.add(out)
        out.once('close', () => open.delete(out))
        serve(out, clock, listener => node.onLive(topic, listener))
      }
    },
    stop() {
      stopped = true
      for (const out of open) out.end(() => out.destroy())
    },
  }
}

function serve(
  out: ServerResponse,
  clock: Clock,
  subscribe: (listener: (change: LiveChange) => void) => () => void,
): void {
  const waiting = new Map<string, LiveChange>()
  let stalled = 0
  let cancelHeartbeat = () => {}
  const write = (change: LiveChange) => {
    const { type, id, field, value } = change
    out.write(`event: ${type}.${field}\ndata: ${JSON.stringify({ actor: `${type}/${id}`, field, value })}\n\n`)
  }
  const unsubscribe = subscribe(change => {
    if (out.writableEnded) return
    if (!out.writableNeedDrain) return write(change)
    const key = `${change.type}/${change.id}.${change.field}`
    if (waiting.has(key) || waiting.size < MAX_WAITING) waiting.set(key, change)
  })
  const planHeartbeat = () => {
    cancelHeartbeat = clock.after(HEARTBEAT_MS, () => {
      stalled = out.writableNeedDrain ? stalled + 1 : 0
      if (stalled >= MAX_STALLED) out.destroy()
      else if (stalled === 0) out.write(': heartbeat\n\n')
      planHeartbeat()
    })
  }
  out.on('drain', () => {
    for (const [key, change] of waiting) {
      if (out.writableNeedDrain) return
      waiting.delete(key)
      write(change)
    }
  })
  out.on('error', () => out.destroy())
  out.once('close', () => {
    cancelHeartbeat()
    unsubscribe()
    waiting.clear()
  })
  writeSseHead(out)
  out.write(': listening\n\n')
  planHeartbeat()
}
