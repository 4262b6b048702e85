/** What each route for users asks for. A route is let in by its row, so what the reference shows is what is held. */
import type { Permission } from '../accounts/permissions.ts'

/** `anyone`: no session is asked for; `session`: any valid one, for what is the user's own. */
export type Access = Permission | 'anyone' | 'session'

export const USER_ROUTES: Readonly<Record<string, Access>> = {
  'POST /api/auth/login': 'anyone',
  'POST /api/auth/logout': 'anyone',
  'GET /api/auth/verify': 'session',
  'GET /api/users': 'users.read',
  'GET /api/users/:id': 'users.read',
  'POST /api/users/:id/roles': 'roles.manage',
  'POST /api/users/:id/deactivate': 'users.manage',
  'POST /api/users/:id/reactivate': 'users.manage',
  'POST /api/users/:id/session-limit': 'sessions.manage',
  'POST /api/users/:id/sessions/end': 'sessions.manage',
}
