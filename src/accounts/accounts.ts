/** Accounts of a node: who somebody is, and for how long that holds. */
import type { AccountRefusal } from './answers.ts'
import type { Client } from './client.ts'
import { type Credentials, login } from './login.ts'
import { changePassword, type PasswordChange, setPassword } from './passwords.ts'
import type { AccountPorts } from './ports.ts'
import { type Registered, type Registration, type RegistrationOptions, register } from './registration.ts'
import { endSessions, type OpenedSession, type PendingSession, revokeSession } from './sessions.ts'
import type { AccountSettings } from './settings.ts'
import { type ValidSession, validate } from './validation.ts'

export interface Accounts {
  readonly settings: AccountSettings
  /** Throws AppError `invalid_event`, `overloaded`. */
  register(registration: Registration, options?: RegistrationOptions): Promise<Registered | AccountRefusal>
  login(credentials: Credentials, client?: Client): Promise<OpenedSession | PendingSession | AccountRefusal>
  /** Whether a token opens anything. Throws AppError `log_unavailable`. */
  validate(token: string, client?: Client): Promise<ValidSession | AccountRefusal>
  /** Ends the session of a token; one that opens nothing is no error. */
  logout(token: string): Promise<void>
  /** Ends all other sessions of the user; the token in the answer takes the place of the one that was shown. */
  changePassword(session: ValidSession, change: PasswordChange): Promise<OpenedSession | AccountRefusal>
  /** Ends all sessions of the user. `by`: the administrator who sets it; absent: whoever runs the node. */
  setPassword(userId: number, password: string, by?: ValidSession): Promise<{ readonly ok: true } | AccountRefusal>
  revokeSession(sessionId: number, reason: string): Promise<void>
  /** All of a user, or all but one; answers how many were open. */
  endSessions(userId: number, reason: string, keepSession?: number): Promise<number>
}

export function createAccounts(ports: AccountPorts): Accounts {
  return {
    settings: ports.settings,
    register: (registration, options) => register(ports, registration, options),
    login: (credentials, client = {}) => login(ports, credentials, client),
    validate: (token, client = {}) => validate(ports, token, client),
    logout: async token => {
      const session = await validate(ports, token, {})
      if (session.ok) await ports.actor('session', session.sessionId).send({ type: 'session.closed' })
    },
    changePassword: (session, change) => changePassword(ports, session, change),
    setPassword: (userId, password, by) => setPassword(ports, userId, password, by),
    revokeSession: (sessionId, reason) => revokeSession(ports, sessionId, reason),
    endSessions: (userId, reason, keepSession) => endSessions(ports, userId, reason, keepSession),
  }
}
