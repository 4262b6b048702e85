/** The sessions a user has open, in the order in which they began: only these are valid, whatever the sessions themselves say. */
import type { UserEvent } from './events.ts'

export interface OpenSession {
  readonly id: number
  /** ISO 8601. */
  readonly expiresAt: string
}

interface LimitOf {
  readonly roles: readonly string[]
  readonly sessionLimit: number | null
}

type Login = Extract<UserEvent, { type: 'user.login.recorded' }>

/** Whether the limit lets this login in. */
export function hasRoom(open: readonly OpenSession[], { opened, at }: Login): boolean {
  return (
    opened === undefined || opened.policy === 'revoke_oldest' || running(open, opened.ended, at).length < opened.limit
  )
}

/** Whether a limit was worked out from what the user has now. Events of older nodes do not say. */
export function isLimitOf({ roles, sessionLimit }: LimitOf, of: LimitOf | undefined): boolean {
  if (of === undefined) return true
  const sameRoles = of.roles.length === roles.length && roles.every(role => of.roles.includes(role))
  return sameRoles && of.sessionLimit === sessionLimit
}

/** The open sessions with the one that begins; the oldest are gone where the limit asks for it. */
export function withOpened(open: readonly OpenSession[], { opened, at }: Login): readonly OpenSession[] {
  if (opened === undefined) return open
  const { sessionId, expiresAt, limit, ended } = opened
  const others = running(open, ended, at).filter(({ id }) => id !== sessionId)
  return [...others, { id: sessionId, expiresAt }].slice(-limit)
}

/** None of them, or the one that is kept. */
export function onlyKept(open: readonly OpenSession[], keep: number | undefined): readonly OpenSession[] {
  return open.filter(({ id }) => id === keep)
}

function running(open: readonly OpenSession[], ended: readonly number[] = [], at: string): readonly OpenSession[] {
  const now = Date.parse(at)
  return open.filter(({ id, expiresAt }) => Date.parse(expiresAt) > now && !ended.includes(id))
}
