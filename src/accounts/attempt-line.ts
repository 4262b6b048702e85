/** Attempts of one key that the budget has no room for wait in line for those under way: most of these are right, and give theirs back. */
import type { Clock } from '../core/ports.ts'
import type { BegunAttempt, RefusedAttempt, TakenAttempt } from './attempts.ts'

export interface AttemptLine {
  /** As `AttemptLimiter.begin`. */
  begin(): Promise<BegunAttempt | RefusedAttempt>
}

/** Of one key. */
export interface AttemptLineParts {
  readonly clock: Clock
  take(): Promise<TakenAttempt | RefusedAttempt>
  clear(): Promise<void>
  /** Tells other nodes that one more, or one less, is being made; absent where there are none. */
  readonly others?: {
    begun(): Promise<void>
    settled(): Promise<void>
    /** Whether any is being made on any node, as far as is known. */
    anyBegun(): Promise<boolean>
  }
  /** Called when nothing waits and nothing is being made. */
  onEmpty(): void
}

/** An attempt is over within a second: passwords are hashed in a bounded queue. */
const LONGEST_WAIT_MS = 10_000
const MOST_WAITING = 1_000
/** How often is looked whether other nodes have settled theirs. */
const BEAT_MS = 25

interface Waiting {
  isOver: boolean
  answer(attempt: BegunAttempt | RefusedAttempt): void
  fail(error: unknown): void
  /** Of the bound on its wait. */
  cancelTimer(): void
}

export function createAttemptLine({ clock, take, clear, others, onEmpty }: AttemptLineParts): AttemptLine {
  const waiting: Waiting[] = []
  let underWay = 0
  let settled = 0
  let wake = () => {}
  let moving = false

  const begun = (taken: TakenAttempt): BegunAttempt => ({
    ok: true,
    settle: async outcome => {
      try {
        if (outcome === 'right') await clear()
        else if (outcome === 'undone') await taken.giveBack()
        await others?.settled()
      } finally {
        underWay--
        settled++
        wake()
        if (underWay === 0 && !moving) onEmpty()
      }
    },
  })

  /** Until one is settled here, might be elsewhere, or the first in line has waited for long enough. */
  const pause = () =>
    new Promise<void>(resolve => {
      const cancel = others === undefined ? () => {} : clock.after(BEAT_MS, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })

  const admit = async (head: Waiting) => {
    for (let quiet = 0; ; ) {
      const before = settled
      const attempt = await take()
      if (attempt.ok || head.isOver) return { attempt, isSpent: false }
      // What was settled while it was refused may have made room.
      if (settled !== before) continue
      if (underWay > 0 || (await others?.anyBegun()) === true) quiet = 0
      // Others may have settled all of theirs since, so they are looked at twice.
      else if (others === undefined || ++quiet > 1) return { attempt, isSpent: true }
      if (settled === before && !head.isOver) await pause()
    }
  }

  const move = async () => {
    moving = true
    for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
      let leaving = 1
      let end: (each: Waiting) => void
      try {
        const { attempt, isSpent } = await admit(head)
        if (attempt.ok) {
          await others?.begun()
          underWay++
          end = each => each.answer(begun(attempt))
        } else {
          if (isSpent) leaving = waiting.length
          end = each => each.answer(attempt)
        }
      } catch (error) {
        end = each => each.fail(error)
      }
      for (const each of waiting.splice(0, leaving)) {
        each.cancelTimer()
        end(each)
      }
    }
    moving = false
    if (underWay === 0) onEmpty()
  }

  return {
    begin: () => {
      if (waiting.length >= MOST_WAITING) return Promise.resolve({ ok: false, retryAfterMs: 1_000 })
      return new Promise((resolve, reject) => {
        const mine: Waiting = { isOver: false, answer: resolve, fail: reject, cancelTimer: () => {} }
        mine.cancelTimer = clock.after(LONGEST_WAIT_MS, () => {
          mine.isOver = true
          wake()
        })
        waiting.push(mine)
        if (!moving) void move()
      })
    },
  }
}
