/** Accounts of a node: who somebody is, and for how long that holds. */
import type { AccountRefusal } from './answers.ts'
import type { Client } from './client.ts'
import { type Erasure, type ErasureOptions, eraseAs, eraseUser } from './erasure.ts'
import { type Credentials, login } from './login.ts'
import type { AccountPorts } from './ports.ts'
import { type Registered, type Registration, register } from './registration.ts'
import { endSessions, type OpenedSession, type PendingSession, revokeSession } from './sessions.ts'
import { type ValidSession, validate } from './validation.ts'

export interface Accounts {
  register(registration: Registration): Promise<Registered | AccountRefusal>
  login(credentials: Credentials, client?: Client): Promise<OpenedSession | PendingSession | AccountRefusal>
  /** Whether a token opens anything. Throws AppError `log_unavailable`. */
  validate(token: string, client?: Client): Promise<ValidSession | AccountRefusal>
  /** Ends the session of a token; one that opens nothing is no error. */
  logout(token: string): Promise<void>
  revokeSession(sessionId: number, reason: string): Promise<void>
  /** All of a user, or all but one; answers how many were open. */
  endSessions(userId: number, reason: string, keepSession?: number): Promise<number>
  /** For good. What was done under the user's id stays in the log, and who it was cannot be read again. */
  erase(userId: number, options?: ErasureOptions): Promise<Erasure | AccountRefusal>
  /** By an admin who has just shown a second factor. */
  eraseAs(session: ValidSession, userId: number): Promise<Erasure | AccountRefusal>
}

export function createAccounts(ports: AccountPorts): Accounts {
  return {
    register: registration => register(ports, registration),
    login: (credentials, client = {}) => login(ports, credentials, client),
    validate: (token, client = {}) => validate(ports, token, client),
    logout: async token => {
      const session = await validate(ports, token, {})
      if (session.ok) await ports.actor('session', session.sessionId).send({ type: 'session.closed' })
    },
    revokeSession: (sessionId, reason) => revokeSession(ports, sessionId, reason),
    endSessions: (userId, reason, keepSession) => endSessions(ports, userId, reason, keepSession),
    erase: (userId, options) => eraseUser(ports, userId, options),
    eraseAs: (session, userId) => eraseAs(ports, session, userId),
  }
}
