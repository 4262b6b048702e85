/** Accounts of a node: who somebody is, and for how long that holds. */
import { type Administration, createAdministration } from './administration.ts'
import type { AccountRefusal } from './answers.ts'
import type { Client } from './client.ts'
import { type AccountStats, countingRefusals, createAccountFigures } from './figures.ts'
import { type Credentials, login } from './login.ts'
import { authorize, needsFreshFactor, type Permission } from './permissions.ts'
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
  /**
   * Why a session may not do this, or undefined where it may.
   * @param fresh whether the factor has to be fresh; default what the table of permissions says
   */
  authorize(
    session: ValidSession,
    permission: Permission,
    options?: { readonly fresh?: boolean },
  ): AccountRefusal | undefined
  /** What administrators change of other accounts. */
  readonly administration: Administration
  stats(): AccountStats
}

export function createAccounts(ports: AccountPorts): Accounts {
  const figures = createAccountFigures()
  ports.onCommitted(figures.committed)
  const accounts: Accounts = {
    register: registration => register(ports, registration),
    login: (credentials, client = {}) => login(ports, credentials, client),
    validate: (token, client = {}) => validate(ports, token, client),
    logout: async token => {
      const session = await validate(ports, token, {})
      if (session.ok) await ports.actor('session', session.sessionId).send({ type: 'session.closed' })
    },
    revokeSession: (sessionId, reason) => revokeSession(ports, sessionId, reason),
    endSessions: (userId, reason, keepSession) => endSessions(ports, userId, reason, keepSession),
    authorize: (session, permission, { fresh = needsFreshFactor(permission) } = {}) =>
      authorize(session, permission, fresh ? { now: ports.clock.now(), withinMs: ports.settings.stepUpMs } : undefined),
    administration: createAdministration(ports),
    stats: () => ({ ...figures.stats(), hashing: ports.hasher.stats?.() }),
  }
  return countingRefusals(accounts, figures.refused)
}
