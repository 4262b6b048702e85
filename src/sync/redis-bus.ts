/** The bus between nodes, over Redis pub/sub: at most once, so every doubt ends in a gap that sends listeners to the log. */
import type { Redis } from 'ioredis'
import type { Clock, Frame, LiveFrame, Logger } from '../core/ports.ts'
import { decodeFrame, encodeEvents, encodeLive, encodeSign, type Sender, type WireFrame } from './frame.ts'
import { createListeners } from './listeners.ts'
import { type Drops, type MonitoredBus, noDrops, sumOfDrops } from './monitored-bus.ts'
import { createOutbox } from './outbox.ts'
import { channelOf, connectionOptions, frameChannels, openPublisher, openSubscriber } from './redis-link.ts'
import { parseRedisUrl } from './redis-url.ts'
import { createSenders } from './senders.ts'

/** Each carries the number of the last frame, so that a lost final frame is noticed. */
const HEARTBEAT_MS = 1_000
/** Heartbeats a sender may miss before it counts as gone, and echoes of our own before the link counts as dead. */
const PATIENCE = 5
const MAX_SENDERS = 1_024
const MAX_WAITING_BYTES = 8 * 1024 * 1024
/** How long `start` waits for the link before it lets the node run without it. */
const START_PATIENCE_MS = 3_000
const STOP_PATIENCE_MS = 1_000
const RESUBSCRIBE_MS = 5_000

export interface RedisBusOptions {
  /** See `parseRedisUrl`. */
  readonly url: string
  readonly node: string
  readonly incarnation: number
  /** What identifies the log: nodes hear each other only where it is the same. It is hashed. */
  readonly namespace: string
  readonly clock: Clock
  readonly log: Logger
  /** PEM file of the authorities to trust for `rediss://`, instead of the system's. */
  readonly ca?: string
  /** Bytes of frames that may wait for Redis; default 8 MiB. */
  readonly maxWaitingBytes?: number
}

/** Throws AppError `invalid_input` (URL) or `setup_failed` (ca). Redis itself need not be there, now or ever. */
export function createRedisBus(options: RedisBusOptions): MonitoredBus {
  const { node, incarnation, clock, log } = options
  const self: Sender = { node, incarnation }
  const address = parseRedisUrl(options.url)
  const connection = connectionOptions(address, node, options.ca)
  const server = `${address.host}:${address.port}/${address.db}`
  const channels = frameChannels(options.namespace, address.db)
  const channel = channelOf(node, channels)

  const frames = createListeners<Frame>('frames', log)
  const lives = createListeners<LiveFrame>('live frames', log)
  const gaps = createListeners<void>('gaps', log)
  const senders = createSenders({ patience: PATIENCE, limit: MAX_SENDERS })
  const counts = { framesSent: 0, framesReceived: 0, gaps: 0 }
  const drops = noDrops()
  let publisher: Redis | undefined
  let subscriber: Redis | undefined
  let stopped: Promise<void> | undefined
  let publishing = false
  let subscribed = false
  let reported: boolean | undefined
  let seq = 0
  let unheardTicks = 0
  let foreign = false
  let cancelTick = () => {}
  let cancelResubscribe = () => {}
  let settleStart = () => {}

  const drop = (reason: keyof Drops) => void drops[reason]++
  const missed = (reason: string) => {
    counts.gaps++
    log.debug({ reason }, 'Frames may have been missed; catching up from the log.')
    gaps.emit()
  }

  /** Tells the log about the link once for each change, whatever the number of attempts. */
  const report = (reason?: string) => {
    const connected = publishing && subscribed
    if (stopped !== undefined || connected === reported || (!connected && reason === undefined)) return
    reported = connected
    if (connected) log.info({ redis: server }, 'Connected to Redis.')
    else
      log.warn(
        { redis: server, reason },
        'Redis cannot be reached; the log is untouched and this node catches up from it. Trying again.',
      )
    settleStart()
  }

  const send = (payload: string) => publisher?.publish(channel, payload) ?? Promise.reject(new Error('not started'))
  const outbox = createOutbox({
    maxBytes: options.maxWaitingBytes ?? MAX_WAITING_BYTES,
    send,
    onSent: () => void counts.framesSent++,
    onFailed: err => {
      drop('unsent')
      log.debug({ err }, 'A frame was not sent; receivers notice the gap.')
    },
  })
  /** The link counts as up when Redis took a heartbeat: it also refuses accounts that lack the right. */
  const beat = async () => {
    try {
      await send(encodeSign(self, 'heartbeat', seq))
      publishing = true
      report()
    } catch (err) {
      publishing = false
      report(reasonOf(err))
    }
  }

  const receive = (payload: Buffer) => {
    if (stopped !== undefined) return
    const frame = decodeFrame(payload)
    if (typeof frame === 'string') {
      drop(frame)
      if (frame === 'foreignVersion') foreign = true
      return
    }
    // One's own frames come back too: they prove that both connections work.
    unheardTicks = 0
    if (frame.node !== node || frame.incarnation !== incarnation) hear(frame)
  }
  const hear = (frame: WireFrame) => {
    const key = JSON.stringify([frame.node, frame.incarnation])
    const heard = frame.kind === 'events' ? senders.frame(key, frame.seq) : senders.sign(key, frame.seq)
    if (frame.kind === 'farewell') senders.forget(key)
    if (heard === 'gap') missed('a frame of another node was lost')
    if (frame.kind === 'live') lives.emit({ node: frame.node, incarnation: frame.incarnation, payload: frame.payload })
    if (frame.kind !== 'events') return
    if (heard === 'old') return drop('repeated')
    counts.framesReceived++
    const { traceparent } = frame
    frames.emit({
      node: frame.node,
      incarnation: frame.incarnation,
      events: frame.events,
      ...(traceparent === undefined ? {} : { traceparent }),
    })
  }

  const tick = () => {
    cancelTick = clock.after(HEARTBEAT_MS, tick)
    if (publisher?.status === 'ready') void beat()
    if (senders.tick() > 0) missed('another node fell silent')
    // At most once an interval: whoever floods us with such frames must not make us read the log all the time.
    if (foreign) missed('a node speaks another version of the frame format')
    foreign = false
    // A peer that vanished without closing the connection is never reported by the socket of a listener.
    if (publishing && subscribed && ++unheardTicks > PATIENCE) {
      unheardTicks = 0
      subscriber?.disconnect(true)
    }
  }

  const subscribe = async (connection: Redis) => {
    try {
      await connection.subscribe(...channels)
    } catch (err) {
      // Refused while connected (a right is missing, say): ask again, it may be granted.
      if (connection.status === 'ready')
        cancelResubscribe = clock.after(RESUBSCRIBE_MS, () => void subscribe(connection))
      return report(reasonOf(err))
    }
    if (stopped !== undefined) return
    subscribed = true
    unheardTicks = 0
    report()
    missed('subscribed')
  }

  const openConnections = () => {
    publisher = openPublisher(connection)
    publisher.on('error', err => report(reasonOf(err)))
    publisher.on('ready', () => {
      outbox.open()
      void beat()
    })
    publisher.on('close', () => {
      publishing = false
      outbox.close()
      report('the connection was closed')
    })
    const listening = openSubscriber(connection)
    subscriber = listening
    listening.on('error', err => report(reasonOf(err)))
    listening.on('ready', () => void subscribe(listening))
    listening.on('messageBuffer', (_channel: Buffer, payload: Buffer) => receive(payload))
    listening.on('close', () => {
      subscribed = false
      cancelResubscribe()
      report('the connection was closed')
    })
    // Failures arrive as error events as well.
    publisher.connect().catch(() => {})
    subscriber.connect().catch(() => {})
  }

  const close = async () => {
    cancelTick()
    cancelResubscribe()
    settleStart()
    if (publishing && publisher !== undefined) {
      send(encodeSign(self, 'farewell', seq)).catch(() => {})
      // Answered after everything that was sent before it.
      const quit = publisher.quit().catch(() => {})
      await Promise.race([quit, new Promise<void>(resolve => clock.after(STOP_PATIENCE_MS, resolve))])
    }
    publisher?.disconnect()
    subscriber?.disconnect()
    publishing = false
    subscribed = false
  }

  return {
    async start() {
      if (publisher !== undefined || stopped !== undefined) return
      const settled = new Promise<void>(resolve => {
        settleStart = resolve
      })
      const cancel = clock.after(START_PATIENCE_MS, () => report('no answer yet'))
      openConnections()
      cancelTick = clock.after(HEARTBEAT_MS, tick)
      await settled
      cancel()
    },
    stop() {
      stopped ??= close()
      return stopped
    },
    publish({ events, traceparent }) {
      if (stopped !== undefined) return
      try {
        for (const payload of encodeEvents(self, seq, events, traceparent)) {
          seq++
          if (payload === undefined) drop('oversize')
          else if (!outbox.push(payload)) drop('unsent')
        }
      } catch (err) {
        seq++
        drop('unsent')
        log.error({ err }, 'A batch could not be written as a frame; receivers notice the gap and read the log.')
      }
    },
    publishLive(json) {
      // While the link is down nothing waits: it would take the place of events, and be stale by then.
      if (stopped === undefined && publishing && !outbox.push(encodeLive(self, seq, json))) drop('unsent')
    },
    onFrame: listener => frames.add(listener),
    onLive: listener => lives.add(listener),
    onGap: listener => gaps.add(() => listener()),
    get healthy() {
      return publishing && subscribed
    },
    stats: () => ({ ...counts, dropped: sumOfDrops(drops), ...drops }),
  }
}

// Of an authentication error ioredis keeps the command too, password and all: only the message may go on.
function reasonOf(err: unknown): string {
  return err instanceof Error ? err.message || ((err as NodeJS.ErrnoException).code ?? err.name) : 'unknown'
}
