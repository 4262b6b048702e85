/** Budgets of attempts, counted in this process. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { AttemptKind, AttemptLimiter } from './attempts.ts'

/** Attempts within a time, and how long there is none after that; seconds. */
const BUDGETS: Readonly<Record<AttemptKind, { points: number; duration: number; blockDuration: number }>> = {
  'login.account': { points: 10, duration: 300, blockDuration: 300 },
  'login.address': { points: 100, duration: 300, blockDuration: 300 },
  factor: { points: 10, duration: 900, blockDuration: 900 },
  delivery: { points: 5, duration: 900, blockDuration: 900 },
  recovery: { points: 20, duration: 900, blockDuration: 900 },
}

export function createAttemptLimiter(): AttemptLimiter {
  const limiters = new Map(
    Object.entries(BUDGETS).map(([kind, budget]) => [kind, new RateLimiterMemory({ keyPrefix: kind, ...budget })]),
  )
  const of = (kind: AttemptKind) => limiters.get(kind) as RateLimiterMemory
  return {
    take: async (kind, key) => {
      try {
        await of(kind).consume(key)
        return { ok: true }
      } catch (spent) {
        if (spent instanceof RateLimiterRes) return { ok: false, retryAfterMs: spent.msBeforeNext }
        throw spent
      }
    },
    clear: async (kind, key) => {
      await of(kind).delete(key)
    },
  }
}
