/** Figures of accounts since this node started: counted from what it committed and what it refused. */
import type { LogEvent } from '../core/event.ts'
import { METHODS, type Method } from '../machines/session/events.ts'
import { ACCOUNT_REFUSALS, type AccountRefusalReason } from './answers.ts'

export interface HashingStats {
  readonly running: number
  readonly waiting: number
  /** Because too many waited. */
  readonly refused: number
}

export interface AccountStats {
  readonly sessionsOpened: number
  /** Logins that waited for their second factor in vain are among the expired. */
  readonly sessionsEnded: Readonly<Record<'closed' | 'revoked' | 'expired', number>>
  readonly refusals: Readonly<Record<AccountRefusalReason, number>>
  readonly factorAttempts: Readonly<Record<Method, { readonly shown: number; readonly missed: number }>>
  /** Undefined where the hasher does not tell. */
  readonly hashing: HashingStats | undefined
}

export interface AccountFigures {
  committed(events: readonly LogEvent[]): void
  refused(reason: AccountRefusalReason): void
  stats(): Omit<AccountStats, 'hashing'>
}

export function createAccountFigures(): AccountFigures {
  let sessionsOpened = 0
  const sessionsEnded = { closed: 0, revoked: 0, expired: 0 }
  const refusals = Object.fromEntries(Object.keys(ACCOUNT_REFUSALS).map(reason => [reason, 0])) as Record<
    AccountRefusalReason,
    number
  >
  const factorAttempts = Object.fromEntries(METHODS.map(method => [method, { shown: 0, missed: 0 }])) as Record<
    Method,
    { shown: number; missed: number }
  >

  const count = ({ type, data }: LogEvent) => {
    switch (type) {
      case 'user.login.recorded':
        if (data['opened'] !== undefined) sessionsOpened++
        break
      case 'session.closed':
        sessionsEnded.closed++
        break
      case 'session.revoked':
        sessionsEnded.revoked++
        break
      case 'session.expired':
        sessionsEnded.expired++
        break
      case 'mfa.attempted':
        factorAttempts[data['method'] as Method][data['success'] === true ? 'shown' : 'missed']++
        break
    }
  }

  return {
    committed: events => events.forEach(count),
    refused: reason => {
      refusals[reason]++
    },
    stats: () => structuredClone({ sessionsOpened, sessionsEnded, refusals, factorAttempts }),
  }
}

/** The same object, whose methods tell of each refusal they answer, at any depth. */
export function countingRefusals<Face extends object>(face: Face, refused: AccountFigures['refused']): Face {
  const look = (answer: unknown) => {
    if (isRefusal(answer)) refused(answer.reason)
    return answer
  }
  const wrapped = Object.entries(face).map(([name, member]: [string, unknown]) => {
    if (typeof member === 'function')
      return [
        name,
        (...args: unknown[]) => {
          const answer: unknown = member(...args)
          return answer instanceof Promise ? answer.then(look) : look(answer)
        },
      ]
    return [name, member !== null && typeof member === 'object' ? countingRefusals(member, refused) : member]
  })
  return Object.fromEntries(wrapped) as Face
}

function isRefusal(answer: unknown): answer is { reason: AccountRefusalReason } {
  if (answer === null || typeof answer !== 'object' || !('ok' in answer) || !('reason' in answer)) return false
  return answer.ok === false && Object.hasOwn(ACCOUNT_REFUSALS, String(answer.reason))
}
