/** What waits to be sent by one channel: bounded, tried again while it is worth something, never waited for. */
import { randomUUID } from 'node:crypto'
import { AppError } from '../../core/errors.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { Carrier, Channel, Sending } from './delivery.ts'

export interface OutboxLimits {
  /** Messages that wait or are under way. */
  readonly waiting: number
  /** Messages under way at once. */
  readonly atOnce: number
  /** What one attempt may take. */
  readonly attemptMs: number
  /** Pauses after the first failure, the second and so on; the last goes for all others. */
  readonly retryMs: readonly number[]
  /** What is under way has this long when the outbox stops. */
  readonly stopMs: number
}

/** The longer pauses are for servers that turn a stranger away at first (greylisting). */
export const OUTBOX_LIMITS: OutboxLimits = {
  waiting: 1_000,
  atOnce: 4,
  attemptMs: 20_000,
  retryMs: [2_000, 10_000, 30_000, 60_000, 120_000],
  stopMs: 3_000,
}

export interface OutboxOptions<Message> {
  readonly channel: Channel
  readonly carrier: Carrier<Message>
  readonly clock: Clock
  readonly log: Logger
  readonly limits?: Partial<OutboxLimits>
}

export interface Outbox<Message> {
  put(message: Message, sending: Sending): void
  idle(): Promise<void>
  stop(): Promise<void>
}

interface Entry<Message> {
  readonly message: Message
  readonly sending: Sending
  readonly id: string
  attempts: number
}

export function createOutbox<Message>(options: OutboxOptions<Message>): Outbox<Message> {
  const { channel, carrier, clock, log } = options
  const limits = { ...OUTBOX_LIMITS, ...options.limits }
  const ready: Entry<Message>[] = []
  const pausing = new Map<Entry<Message>, () => void>()
  const underWay = new Set<AbortController>()
  const waiters: (() => void)[] = []
  let stopped = false

  const settle = () => {
    if (ready.length + pausing.size + underWay.size > 0) return
    for (const resolve of waiters.splice(0)) resolve()
  }
  const pump = () => {
    while (underWay.size < limits.atOnce) {
      const entry = ready.shift()
      if (entry === undefined) break
      if (clock.now() >= entry.sending.until) giveUp(entry, 'its time is over')
      else void attempt(entry)
    }
    settle()
  }
  const attempt = async (entry: Entry<Message>) => {
    const controller = new AbortController()
    underWay.add(controller)
    const ms = Math.min(limits.attemptMs, entry.sending.until - clock.now())
    const cancel = clock.after(ms, () => controller.abort())
    entry.attempts++
    try {
      const outcome = await carrier.send(entry.message, entry.id, controller.signal)
      if (outcome.sent) log.debug({ channel, id: entry.id, attempts: entry.attempts }, 'a message was sent')
      else giveUp(entry, outcome.why)
    } catch (error) {
      pause(entry, error)
    } finally {
      cancel()
      underWay.delete(controller)
      pump()
    }
  }
  const pause = (entry: Entry<Message>, error: unknown) => {
    const ms = limits.retryMs[Math.min(entry.attempts, limits.retryMs.length) - 1] ?? 0
    const failure = failureOf(error)
    if (stopped || clock.now() + ms >= entry.sending.until) return giveUp(entry, 'no attempt went through', failure)
    log.warn({ channel, id: entry.id, attempts: entry.attempts, ...failure }, 'a message waits for its next attempt')
    const cancel = clock.after(ms, () => {
      pausing.delete(entry)
      ready.push(entry)
      pump()
    })
    pausing.set(entry, cancel)
  }
  const giveUp = ({ id, attempts }: Entry<Message>, why: string, failure: object = {}) =>
    log.error({ channel, id, attempts, why, ...failure }, 'a message was not sent, and will not be')

  return {
    put(message, sending) {
      if (stopped) throw new AppError('shutting_down', 'The node is stopping. The message was not taken.')
      if (sending.replaces !== undefined) withdraw(ready, pausing, sending.replaces)
      if (ready.length + pausing.size + underWay.size >= limits.waiting)
        throw new AppError('overloaded', 'Too many messages wait to be sent. This one was not taken; try again later.')
      ready.push({ message, sending, id: randomUUID(), attempts: 0 })
      pump()
    },
    idle: () =>
      new Promise(resolve => {
        waiters.push(resolve)
        settle()
      }),
    stop() {
      stopped = true
      for (const [entry, cancel] of pausing) {
        cancel()
        giveUp(entry, 'the node stops')
      }
      pausing.clear()
      const cancel = clock.after(limits.stopMs, () => {
        for (const entry of ready.splice(0)) giveUp(entry, 'the node stops')
        for (const controller of underWay) controller.abort()
      })
      return this.idle().then(() => {
        cancel()
        carrier.close()
      })
    },
  }
}

function withdraw<Message>(ready: Entry<Message>[], pausing: Map<Entry<Message>, () => void>, name: string): void {
  const replaced = (entry: Entry<Message>) => entry.sending.replaces === name
  for (const entry of ready.filter(replaced)) ready.splice(ready.indexOf(entry), 1)
  for (const [entry, cancel] of pausing)
    if (replaced(entry)) {
      cancel()
      pausing.delete(entry)
    }
}

/** By codes alone: the texts of servers repeat the address, and sometimes the message. */
function failureOf(error: unknown): object {
  // nodemailer keeps the code of the socket or of TLS, which tells more than its own, as the original one.
  const { originalCode, code, responseCode, status } = error as Readonly<Record<string, unknown>>
  const known = originalCode ?? code
  return {
    failure: typeof known === 'string' ? known : error instanceof Error ? error.name : 'unknown',
    ...(typeof responseCode === 'number' ? { responseCode } : {}),
    ...(typeof status === 'number' ? { status } : {}),
  }
}
