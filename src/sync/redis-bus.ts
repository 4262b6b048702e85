/** The bus between nodes, over Redis pub/sub: at most once, so every doubt ends in a gap that sends listeners to the log. */
import type { KeyObject } from 'node:crypto'
import type { Clock, Frame, LiveFrame, Logger } from '../core/ports.ts'
import { waitAtMost } from '../core/waits.ts'
import {
  createOwnFrames,
  decodeFrame,
  encodeEvents,
  encodePayload,
  encodeSign,
  type Sender,
  type WireFrame,
} from './frame.ts'
import { createFrameSignature } from './frame-signature.ts'
import { createListeners } from './listeners.ts'
import { type Drops, type MonitoredBus, noDrops, sumOfDrops } from './monitored-bus.ts'
import { createOutbox } from './outbox.ts'
import { createClusterLink } from './redis-cluster-link.ts'
import { frameChannels, type LinkListener, type RedisLink, reasonOf } from './redis-link.ts'
import { createServerLink } from './redis-server-link.ts'
import { parseRedisUrl } from './redis-url.ts'
import { createSenders } from './senders.ts'

/** Each carries the number of the last frame, so that a lost final frame is noticed. */
const HEARTBEAT_MS = 1_000
/** Heartbeats a sender may miss before it counts as gone, and echoes of our own before the link counts as dead. */
const PATIENCE = 5
const MAX_SENDERS = 4_096
/** Whoever sends frames that are not signed is warned of again after so many intervals. */
const FORGED_WARNING_TICKS = 600
const MAX_WAITING_BYTES = 8 * 1024 * 1024
/** How long `start` waits for the link before it lets the node run without it. */
const START_PATIENCE_MS = 3_000
const STOP_PATIENCE_MS = 1_000

export interface RedisBusOptions {
  /** See `parseRedisUrl`. */
  readonly url: string
  readonly node: string
  readonly incarnation: number
  /** What identifies the log: nodes hear each other only where it is the same. It is hashed. */
  readonly namespace: string
  /** What all nodes of the log share and nobody else: only frames signed with it are read. */
  readonly key: KeyObject
  /** Position of the log when the node started: a frame that only holds events up to it tells nothing. Default 0. */
  readonly startedAt?: number
  readonly clock: Clock
  readonly log: Logger
  /** PEM file of the authorities to trust for `rediss://`, instead of the system's. */
  readonly ca?: string
  /** Bytes of frames that may wait for Redis; default 8 MiB. */
  readonly maxWaitingBytes?: number
}

/** Throws AppError `invalid_input` (URL) or `setup_failed` (ca). Redis itself need not be there, now or ever. */
export function createRedisBus(options: RedisBusOptions): MonitoredBus {
  const { node, incarnation, startedAt = 0, clock, log } = options
  const self: Sender = { node, incarnation }
  const link = createLink(options)
  const signature = createFrameSignature(options.key)
  const isOwn = createOwnFrames(self)

  const frames = createListeners<Frame>('frames', log)
  const lives = createListeners<LiveFrame>('live frames', log)
  const tentatives = createListeners<LiveFrame>('tentative frames', log)
  const gaps = createListeners<void>('gaps', log)
  const senders = createSenders({ self, patience: PATIENCE, limit: MAX_SENDERS })
  const counts = { framesSent: 0, framesReceived: 0, gaps: 0 }
  const drops = noDrops()
  let started = false
  let stopped: Promise<void> | undefined
  let publishing = false
  let reported: boolean | undefined
  let order = 0
  let seq = 0
  let unheardTicks = 0
  let foreign = false
  let forgedTicks = 0
  let twins: readonly string[] = []
  let cancelTick = () => {}
  let settleStart = () => {}

  const drop = (reason: keyof Drops) => void drops[reason]++
  const missed = (reason: string) => {
    counts.gaps++
    log.debug({ reason }, 'Frames may have been missed; catching up from the log.')
    gaps.emit()
  }

  /** Tells the log about the link once for each change, whatever the number of attempts. */
  const report = (reason?: string) => {
    const connected = publishing && link.subscribed
    if (stopped !== undefined || connected === reported || (!connected && reason === undefined)) return
    reported = connected
    const warnings = link.warnings()
    if (connected && warnings.length > 0) log.warn({ redis: link.name, warnings }, 'Connected to a part of Redis.')
    else if (connected) log.info({ redis: link.name }, 'Connected to Redis.')
    else
      log.warn(
        { redis: link.name, reason },
        'Redis cannot be reached; the log is untouched and this node catches up from it. Trying again.',
      )
    settleStart()
  }

  const outbox = createOutbox({
    maxBytes: options.maxWaitingBytes ?? MAX_WAITING_BYTES,
    send: link.publish,
    onSent: () => void counts.framesSent++,
    onFailed: err => {
      drop('unsent')
      log.debug({ err }, 'A frame was not sent; receivers notice the gap.')
    },
  })
  /** While the link is down nothing waits: it would take the place of events, and be stale by then. */
  const publishPayload = (kind: 'live' | 'tentative', json: string) => {
    if (stopped !== undefined || !publishing) return
    if (!outbox.push(encodePayload(signature, self, kind, { order: ++order, seq }, json))) drop('unsent')
  }
  const sign = (kind: 'heartbeat' | 'farewell') => encodeSign(signature, self, kind, { order: ++order, seq })
  /** The link counts as up when Redis took a heartbeat: it also refuses accounts that lack the right. */
  const beat = async () => {
    try {
      await link.publish(sign('heartbeat'))
      publishing = true
      report()
    } catch (err) {
      publishing = false
      report(reasonOf(err))
    }
  }

  const receive = (payload: Buffer) => {
    if (stopped !== undefined) return
    const frame = decodeFrame(signature, payload, isOwn)
    // One's own frames come back too: they prove that both connections work.
    if (frame === 'own') {
      unheardTicks = 0
      return
    }
    if (typeof frame === 'string') {
      drop(frame)
      if (frame === 'foreignVersion') foreign = true
      if (frame === 'forged') warnOfForgery()
      return
    }
    unheardTicks = 0
    if (frame.node !== node || frame.incarnation !== incarnation) hear(frame)
  }
  const hear = (frame: WireFrame) => {
    // Whoever recorded what was said before this node started must not make it news.
    const past = frame.kind === 'events' && frame.events.every(({ position }) => position <= startedAt)
    if (past && !senders.knows(frame)) return drop('repeated')
    const { node, incarnation } = frame
    const sender = { node, incarnation }
    const heard = frame.kind === 'events' ? senders.frame(sender, frame) : senders.sign(sender, frame)
    if (heard === 'old') return drop('repeated')
    if (frame.kind === 'farewell') senders.leave(sender)
    if (heard === 'gap') missed('a frame of another node was lost')
    if (frame.kind === 'live' || frame.kind === 'tentative')
      (frame.kind === 'live' ? lives : tentatives).emit({ node, incarnation, payload: frame.payload })
    if (frame.kind !== 'events') return
    if (past) return drop('repeated')
    counts.framesReceived++
    const { events, traceparent } = frame
    frames.emit({ ...sender, events, ...(traceparent === undefined ? {} : { traceparent }) })
  }

  const warnOfForgery = () => {
    if (forgedTicks > 0) return
    forgedTicks = FORGED_WARNING_TICKS
    log.warn(
      { redis: link.name },
      'Frames arrive on the channels of this log that no node of it has signed. They are dropped and counted. Who else may publish there?',
    )
  }
  const findTwins = () => {
    const found = senders.twins()
    for (const name of found) if (!twins.includes(name)) log.warn({ twin: name }, twinWarning(name))
    twins = found
  }

  const tick = () => {
    cancelTick = clock.after(HEARTBEAT_MS, tick)
    if (link.open) void beat()
    link.tick()
    if (senders.tick() > 0) missed('another node fell silent')
    findTwins()
    forgedTicks = Math.max(0, forgedTicks - 1)
    // At most once an interval: whoever floods us with such frames must not make us read the log all the time.
    if (foreign) missed('a node speaks another version of the frame format')
    foreign = false
    // A peer that vanished without closing the connection is never reported by the socket of a listener.
    if (publishing && link.subscribed && ++unheardTicks > PATIENCE) {
      unheardTicks = 0
      link.renew()
    }
  }

  const listener: LinkListener = {
    opened() {
      outbox.open()
      void beat()
    },
    closed() {
      publishing = false
      outbox.close()
    },
    subscribed() {
      unheardTicks = 0
      report()
      missed('subscribed')
    },
    failed: report,
    payload: receive,
  }

  const close = async () => {
    cancelTick()
    settleStart()
    if (publishing) {
      link.publish(sign('farewell')).catch(() => {})
      // Answered after everything that was sent before it.
      await waitAtMost(
        clock,
        STOP_PATIENCE_MS,
        link.quit().catch(() => {}),
      )
    }
    link.stop()
    publishing = false
  }

  return {
    async start() {
      if (started || stopped !== undefined) return
      started = true
      const settled = new Promise<void>(resolve => {
        settleStart = resolve
      })
      const cancel = clock.after(START_PATIENCE_MS, () => report('no answer yet'))
      link.start(listener)
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
        for (const payload of encodeEvents(signature, self, { order, seq }, events, traceparent)) {
          order++
          seq++
          if (payload === undefined) drop('oversize')
          else if (!outbox.push(payload)) drop('unsent')
        }
      } catch (err) {
        order++
        seq++
        drop('unsent')
        log.error({ err }, 'A batch could not be written as a frame; receivers notice the gap and read the log.')
      }
    },
    publishLive: json => publishPayload('live', json),
    publishTentative: json => publishPayload('tentative', json),
    onFrame: listener => frames.add(listener),
    onLive: listener => lives.add(listener),
    onTentative: listener => tentatives.add(listener),
    onGap: listener => gaps.add(() => listener()),
    get healthy() {
      return publishing && link.subscribed
    },
    // Whoever has a Redis hears all that it brings.
    get hearsAll() {
      return this.healthy
    },
    warnings: () => [...twins.map(twinWarning), ...link.warnings()],
    stats: () => ({ ...counts, dropped: sumOfDrops(drops), ...drops }),
  }
}

function twinWarning(name: string): string {
  return `Two nodes are called "${name}". Both work, but nobody can tell who wrote what: give each a ROOTSTREAM_NODE of its own.`
}

function createLink({ url, node, namespace, ca, clock }: RedisBusOptions): RedisLink {
  const address = parseRedisUrl(url)
  const base = { node, channels: frameChannels(namespace, address.db), ca }
  return address.kind === 'cluster'
    ? createClusterLink({ ...base, address })
    : createServerLink({ ...base, address, clock })
}
