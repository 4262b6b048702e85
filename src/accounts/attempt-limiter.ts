/** Budgets of attempts, counted in Redis for all nodes, or in this process where there is none or it is away. */
import { createHmac, generateKeySync, type KeyObject } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Clock } from '../core/ports.ts'
import { type AttemptLine, createAttemptLine } from './attempt-line.ts'
import {
  ATTEMPT_BUDGETS,
  ATTEMPT_KINDS,
  type AttemptBudget,
  type AttemptKind,
  type AttemptLimiter,
  type RefusedAttempt,
  type TakenAttempt,
} from './attempts.ts'

/** Where counters of several nodes lie. */
export interface SharedCounters {
  /** A client of ioredis. */
  readonly client: unknown
  /** Of all keys; the counters of one installation. */
  readonly prefix: string
  /** Of all its nodes. What is counted is hashed under it: names and addresses are nothing for Redis. */
  readonly nameKey: KeyObject
}

export interface AttemptLimiterOptions {
  readonly clock: Clock
  readonly shared?: SharedCounters
  readonly budgets?: Partial<Record<AttemptKind, AttemptBudget>>
}

/** A timer of Node of more than 24.8 days would be over at once. */
const LONGEST_SECONDS = 20 * 86_400
/** How long an attempt of a node that was killed may seem to be under way: refusals take longer meanwhile. */
const UNDER_WAY_SECONDS = 300

type Counter = RateLimiterMemory | RateLimiterRedis

/** Counted for one kind. Each key lives for as long as its counter says. */
interface Counters {
  readonly budget: AttemptBudget
  /** The free attempts. */
  readonly free: Counter
  /** Those that had to wait. */
  readonly late: Counter
  /** Exists while one has to wait. Whoever creates it has the next attempt: one of many at once, over all nodes. */
  readonly gate: Counter
  /** Those that are being made: a hint for whom to wait, never for whom to admit. */
  readonly underWay: Counter
}

export function createAttemptLimiter({ clock, shared, budgets = {} }: AttemptLimiterOptions): AttemptLimiter {
  const counter = counterFactory(shared)
  const notes = counter('noted', 1, 1)
  const kinds = new Map(
    ATTEMPT_KINDS.map(kind => {
      const budget = budgets[kind] ?? ATTEMPT_BUDGETS[kind]
      const counters: Counters = {
        budget,
        free: counter(`${kind}.free`, budget.free - 1, budget.within),
        late: counter(`${kind}.late`, budget.most, Math.min(budget.remembered, LONGEST_SECONDS)),
        gate: counter(`${kind}.gate`, 1, budget.firstWait),
        underWay: counter(`${kind}.underway`, 1, UNDER_WAY_SECONDS),
      }
      return [kind, counters] as const
    }),
  )
  const of = (kind: AttemptKind) => kinds.get(kind) as Counters
  const nameKey = shared?.nameKey ?? generateKeySync('hmac', { length: 256 })
  const keyOf = (text: string) => createHmac('sha256', nameKey).update(text).digest('base64url')
  const lines = new Map<string, AttemptLine>()
  const lineOf = (kind: AttemptKind, key: string) => {
    const name = `${kind}/${key}`
    const line =
      lines.get(name) ??
      createAttemptLine({
        clock,
        take: () => take(of(kind), key),
        clear: () => clear(of(kind), key),
        ...(shared === undefined ? {} : { others: othersOf(of(kind), key) }),
        onEmpty: () => void lines.delete(name),
      })
    lines.set(name, line)
    return line
  }
  return {
    take: (kind, text) => take(of(kind), keyOf(text)),
    begin: (kind, text) => lineOf(kind, keyOf(text)).begin(),
    clear: (kind, text) => clear(of(kind), keyOf(text)),
    note: async (text, seconds) => {
      await notes.set(keyOf(text), 1, Math.min(seconds, LONGEST_SECONDS))
    },
    isNoted: async text => (await notes.get(keyOf(text))) !== null,
  }
}

async function clear({ free, late, gate }: Counters, key: string): Promise<void> {
  await Promise.all([free.delete(key), late.delete(key), gate.delete(key)])
}

function othersOf({ underWay }: Counters, key: string) {
  return {
    begun: async () => void (await underWay.penalty(key)),
    settled: () => giveBack(underWay, key),
    anyBegun: async () => ((await underWay.get(key))?.consumedPoints ?? 0) > 0,
  }
}

/** What was cleared meanwhile is not owed any more: nobody has more than the budget. */
async function giveBack(counter: Counter, key: string): Promise<void> {
  const { consumedPoints } = await counter.reward(key)
  if (consumedPoints < 0) await counter.penalty(key)
}

async function take({ budget, free, late, gate }: Counters, key: string): Promise<TakenAttempt | RefusedAttempt> {
  const [waiting, waited] = await Promise.all([gate.get(key), late.get(key)])
  // One whose time is up may still be there for a moment.
  if (waiting !== null && waiting.msBeforeNext > 0) return refusal(waiting)
  const before = Math.max(0, waited?.consumedPoints ?? 0)
  if (before === 0 && budget.free > 1) {
    if ((await spent(free.consume(key))) === undefined) return taken(() => giveBack(free, key))
    // Counted past its points, it would swallow what is given back.
    await free.reward(key)
  }
  // The first attempt that is followed by a wait is the last free one.
  if (waited !== null && before > budget.most - budget.free) return refusal(waited)
  const wait = Math.min(budget.firstWait * 2 ** Math.min(before, 30), budget.longestWait)
  const gated = await spent(gate.consume(key, 1, { customDuration: wait }))
  if (gated !== undefined) return refusal(gated)
  await late.penalty(key)
  return taken(() => Promise.all([giveBack(late, key), gate.delete(key)]))
}

function taken(undo: () => Promise<unknown>): TakenAttempt {
  return { ok: true, giveBack: async () => void (await undo()) }
}

/** What a spent counter rejects with, undefined for one that passed. */
async function spent(consumed: Promise<unknown>): Promise<RateLimiterRes | undefined> {
  try {
    await consumed
    return undefined
  } catch (reason) {
    if (reason instanceof RateLimiterRes) return reason
    throw reason
  }
}

function refusal({ msBeforeNext }: RateLimiterRes): RefusedAttempt {
  return { ok: false, retryAfterMs: Math.max(1_000, msBeforeNext) }
}

function counterFactory(shared: SharedCounters | undefined) {
  return (name: string, points: number, duration: number): Counter => {
    const memory = new RateLimiterMemory({ keyPrefix: name, points, duration })
    if (shared === undefined) return memory
    return new RateLimiterRedis({
      storeClient: shared.client,
      keyPrefix: `${shared.prefix}:${name}`,
      points,
      duration,
      // Each node counts for itself then: more attempts pass, but none passes uncounted.
      insuranceLimiter: memory,
      rejectIfRedisNotReady: true,
    })
  }
}
