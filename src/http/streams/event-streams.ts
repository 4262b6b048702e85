/** All event streams of a node: how many there may be, what they share, and their end. */
import type { ServerResponse } from 'node:http'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import type { LogEvent } from '../../core/event.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import { waitAtMost } from '../../core/waits.ts'
import { matchPattern } from '../../sync/patterns.ts'
import { eventBody } from '../event-body.ts'
import { EventStream } from './event-stream.ts'
import { EventTail } from './event-tail.ts'

const HEARTBEAT_MS = 15_000
/** Pages of the log that are read at a time for streams that are behind. */
const READS = 4
const STOP_PATIENCE_MS = 2_000

export interface EventStreams {
  readonly open: number
  /**
   * Reserves a stream; it runs once it is given the answer to write to, which must be in the same turn.
   * Throws AppError `invalid_input`, `overloaded`, `shutting_down`, `log_unavailable`.
   * @param after position to start after; undefined: the end of the log
   */
  prepare(topic: string, after: number | undefined): Promise<(out: ServerResponse) => void>
  stop(): Promise<void>
}

export interface EventStreamsOptions {
  readonly node: RuntimeNode
  readonly clock: Clock
  readonly log: Logger
  /** Streams that may be open at the same time. */
  readonly limit: number
}

export function createEventStreams({ node, clock, log, limit }: EventStreamsOptions): EventStreams {
  const tail = new EventTail({ node, clock, log })
  const streams = new Set<EventStream>()
  const readLog = limited(READS, (after: number, size: number) => node.log.readAll(after, size))
  const frames = new WeakMap<LogEvent, string>()
  let open = 0
  let stopped = false
  let cancelHeartbeat = () => {}

  const frame = (event: LogEvent) => {
    const known = frames.get(event)
    if (known !== undefined) return known
    const made = `id: ${event.position}\nevent: ${event.type}\ndata: ${JSON.stringify(eventBody(event))}\n\n`
    frames.set(event, made)
    return made
  }
  const planHeartbeat = () => {
    cancelHeartbeat = clock.after(HEARTBEAT_MS, () => {
      for (const stream of streams) stream.heartbeat()
      planHeartbeat()
    })
  }
  const begin = async (out: ServerResponse, topic: string, after: number) => {
    if (stopped) {
      out.destroy()
      return leave()
    }
    const stream = new EventStream({ out, topic, after, tail, readLog, frame, clock, log })
    if (streams.size === 0) planHeartbeat()
    streams.add(stream)
    try {
      await stream.run()
    } catch (err) {
      log.error({ err }, 'an event stream failed: a bug')
      out.destroy()
    } finally {
      streams.delete(stream)
      if (streams.size === 0) cancelHeartbeat()
      leave()
    }
  }
  const leave = () => {
    open--
    tail.leave()
  }

  return {
    get open() {
      return open
    },
    async prepare(topic, after) {
      matchPattern(topic, '')
      refuseWhen(stopped)
      if (open >= limit)
        throw new AppError(
          'overloaded',
          `As many event streams as the node serves are open: ${limit}. Try again later, or another node.`,
        )
      open++
      try {
        await tail.join()
      } catch (error) {
        open--
        throw error
      }
      try {
        const head = await node.log.head()
        refuseWhen(stopped)
        // A client that waits for positions which this log has not reached would miss what comes before them.
        if (after !== undefined && after > head)
          throw new AppError('invalid_input', 'The log ends before that position: it is of another log.')
        return out => void begin(out, topic, after ?? head)
      } catch (error) {
        leave()
        throw error
      }
    },
    async stop() {
      stopped = true
      for (const stream of streams) stream.end()
      // A database that does not answer does not keep the node from stopping.
      await waitAtMost(clock, STOP_PATIENCE_MS, tail.stopped())
    },
  }
}

function refuseWhen(stopped: boolean): void {
  if (stopped) throw new AppError('shutting_down', 'The node is stopping. Go on with another, or again later.')
}

/** The same function, running at most `limit` times at once; further calls wait their turn. */
function limited<Args extends readonly unknown[], Result>(
  limit: number,
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (...args) => {
    if (running >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await work(...args)
    } finally {
      // The place goes to the next in line.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
