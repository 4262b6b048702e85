/** What each role may do: the one table that routes ask and the reference shows. */
import type { Role } from '../machines/user/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { isWithin } from './fresh.ts'
import type { ValidSession } from './validation.ts'

interface PermissionRow {
  readonly roles: readonly Role[]
  /** Asks for a second factor that was shown a moment ago. */
  readonly fresh?: true
  readonly meaning: string
}

export const PERMISSIONS = {
  'users.read': { roles: ['admin', 'operator'], meaning: 'Look at accounts.' },
  'users.manage': { roles: ['admin'], fresh: true, meaning: 'Deactivate and reactivate accounts.' },
  'users.erase': { roles: ['admin'], fresh: true, meaning: 'Erase who a user was, for good.' },
  'roles.manage': { roles: ['admin'], fresh: true, meaning: 'Say who has which role.' },
  'sessions.manage': { roles: ['admin'], fresh: true, meaning: 'End and limit sessions of others.' },
  'audit.read': { roles: ['admin', 'operator'], meaning: 'Look at who did what.' },
  'streams.view': { roles: ['admin', 'operator', 'viewer'], meaning: 'Watch streams and see their figures.' },
  'streams.control': { roles: ['admin', 'operator'], meaning: 'Start, stop and change streams of others.' },
  'recordings.manage': { roles: ['admin', 'operator'], meaning: 'Keep and delete recordings of others.' },
  'billing.manage': { roles: ['admin'], meaning: 'Look at and change billing accounts.' },
  'conflicts.settle': { roles: ['admin', 'operator'], meaning: 'Say which side of a conflict is kept.' },
  'backups.manage': { roles: ['admin'], fresh: true, meaning: 'Make and restore backups.' },
  'keys.manage': { roles: ['admin'], fresh: true, meaning: 'Rotate the keys that secrets are sealed under.' },
} as const satisfies Record<string, PermissionRow>

export type Permission = keyof typeof PERMISSIONS

export interface Freshness {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** How long ago the factor may have been shown. */
  readonly withinMs: number
}

export function permits(roles: readonly Role[], permission: Permission): boolean {
  const { roles: allowed }: PermissionRow = PERMISSIONS[permission]
  return roles.some(role => allowed.includes(role))
}

export function needsFreshFactor(permission: Permission): boolean {
  const { fresh }: PermissionRow = PERMISSIONS[permission]
  return fresh === true
}

/**
 * Why a session may not do this, or undefined where it may.
 * @param fresh present where the factor has to be fresh
 */
export function authorize(
  { roles, factorAt }: Pick<ValidSession, 'roles' | 'factorAt'>,
  permission: Permission,
  fresh?: Freshness,
): AccountRefusal | undefined {
  if (!permits(roles, permission)) return refused('forbidden')
  if (fresh === undefined || isWithin(factorAt, fresh.now, fresh.withinMs)) return undefined
  const detail =
    factorAt === null
      ? 'This asks for a second factor, and the session has shown none. Enrol one, or show it.'
      : 'This asks for a second factor that was shown a moment ago. Show it again.'
  return refused('factor_required', detail)
}
