/** What each route for users asks for. A route is let in by its row, so what the reference shows is what is held. */
import type { Permission } from '../accounts/permissions.ts'

/**
 * `anyone`: no session is asked for; `session`: any valid one, for what is the user's own; `route`: the route looks at who
 * asks by itself, for the session may wait for the very factor that is shown, or the token of the node may stand for one.
 */
export type Access = Permission | 'anyone' | 'session' | 'route'

export const USER_ROUTES: Readonly<Record<string, Access>> = {
  'POST /api/auth/login': 'anyone',
  'POST /api/auth/logout': 'anyone',
  'GET /api/auth/verify': 'session',
  'POST /api/auth/refresh': 'anyone',
  'POST /api/auth/confirm': 'route',
  'POST /api/auth/register': 'anyone',
  'POST /api/auth/password': 'session',
  'POST /api/auth/email': 'route',
  'POST /api/auth/email/verify': 'anyone',
  'POST /api/auth/email/send': 'anyone',
  'POST /api/auth/recover': 'anyone',
  'POST /api/auth/recover/complete': 'anyone',
  'GET /api/auth/mfa': 'route',
  'POST /api/auth/mfa/send': 'route',
  'POST /api/auth/mfa/verify': 'route',
  'POST /api/auth/mfa/totp/enrol': 'route',
  'POST /api/auth/mfa/totp/confirm': 'route',
  'POST /api/auth/mfa/backup-codes': 'route',
  'POST /api/auth/mfa/:method/enrol': 'route',
  'POST /api/auth/mfa/:method/confirm': 'route',
  'POST /api/auth/mfa/:method/remove': 'route',
  'GET /api/auth/passkeys': 'route',
  'POST /api/auth/passkeys/register/options': 'route',
  'POST /api/auth/passkeys/register': 'route',
  'POST /api/auth/passkeys/login/options': 'anyone',
  'POST /api/auth/passkeys/login': 'anyone',
  'POST /api/auth/passkeys/verify/options': 'route',
  'POST /api/auth/passkeys/verify': 'route',
  'POST /api/auth/passkeys/rename': 'route',
  'POST /api/auth/passkeys/remove': 'route',
  'GET /api/auth/devices': 'route',
  'POST /api/auth/devices/trust': 'route',
  'POST /api/auth/devices/:id/revoke': 'route',
  'POST /api/auth/devices/revoke': 'route',
  'GET /api/sessions': 'session',
  'POST /api/sessions/revoke': 'session',
  'POST /api/sessions/:id/revoke': 'session',
  'GET /api/users': 'users.read',
  'GET /api/users/:id': 'users.read',
  'POST /api/users/:id/erase': 'users.erase',
  'POST /api/users/:id/roles': 'roles.manage',
  'POST /api/users/:id/deactivate': 'users.manage',
  'POST /api/users/:id/reactivate': 'users.manage',
  'POST /api/users/:id/session-limit': 'sessions.manage',
  'GET /api/users/:id/sessions': 'sessions.manage',
  'POST /api/users/:id/sessions/revoke': 'sessions.manage',
  'POST /api/users/:id/password': 'route',
  'POST /api/users/:id/reset-mfa': 'users.manage',
}
