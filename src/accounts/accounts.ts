/** Accounts of a node: who somebody is, and for how long that holds. */
import type { Method } from '../machines/session/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { Client } from './client.ts'
import { type Credentials, login } from './login.ts'
import type { AccountPorts } from './ports.ts'
import { refresh, type ShownTokens } from './refresh.ts'
import { type Registered, type Registration, register } from './registration.ts'
import { listSessions, revokeOwn, type ShownSession } from './session-list.ts'
import { endSessions, type OpenedSession, openSession, type PendingSession, revokeSession } from './sessions.ts'
import { standingOf } from './standing.ts'
import { reauthenticate, requireFresh } from './step-up.ts'
import { readAccount } from './users.ts'
import { type ValidSession, validate } from './validation.ts'

export interface Accounts {
  register(registration: Registration): Promise<Registered | AccountRefusal>
  login(credentials: Credentials, client?: Client): Promise<OpenedSession | PendingSession | AccountRefusal>
  /** Whether a token opens anything; without a client, what it is bound to is not looked at. Throws AppError `log_unavailable`. */
  validate(token: string, client?: Client): Promise<ValidSession | AccountRefusal>
  /** Ends the session of a token; one that opens nothing is no error. */
  logout(token: string): Promise<void>
  /**
   * A session of a user whom the caller knows to be there, for programs that sign users in by themselves. Within the
   * limit of the user, as any other. Throws AppError `log_unavailable`.
   */
  createSession(
    userId: number,
    client?: Client,
    options?: { readonly methods?: readonly Method[]; readonly remember?: boolean },
  ): Promise<OpenedSession | AccountRefusal>
  /** New tokens for old ones. Throws AppError `log_unavailable`. */
  refresh(tokens: ShownTokens, client?: Client): Promise<OpenedSession | AccountRefusal>
  /** Refuses unless a factor was shown lately, default `stepUpMs`. Throws AppError `log_unavailable`. */
  requireFresh(session: ValidSession, withinMs?: number): Promise<AccountRefusal | undefined>
  /** Shows the password again, for users without another factor; the session goes on under a new token. */
  reauthenticate(token: string, password: string, client?: Client): Promise<OpenedSession | AccountRefusal>
  /** The newest first; `current` is the one that asks. */
  sessions(userId: number, current?: number): Promise<readonly ShownSession[]>
  /** Ends a session of this user; refused where it is none. */
  revokeOwn(userId: number, sessionId: number, reason: string, by?: number): Promise<AccountRefusal | undefined>
  /** What a client says of its device, as sessions hold it. */
  fingerprint(device: string): string
  revokeSession(sessionId: number, reason: string): Promise<void>
  /** All of a user, or all but one; answers how many were open. `by`: the user who does it, for the audit. */
  endSessions(userId: number, reason: string, keepSession?: number, by?: number): Promise<number>
}

export function createAccounts(ports: AccountPorts): Accounts {
  return {
    register: registration => register(ports, registration),
    login: (credentials, client = {}) => login(ports, credentials, client),
    validate: (token, client) => validate(ports, token, client),
    logout: async token => {
      // A pending or challenged one too: whoever gives it up may.
      const session = await standingOf(ports, token)
      if (session !== undefined) await ports.actor('session', session.sessionId).send({ type: 'session.closed' })
    },
    createSession: async (userId, client = {}, { methods = ['password'] as const, remember = false } = {}) => {
      // As the log has it: the limit is by the roles of now.
      const account = await readAccount(ports, userId)
      return account.active
        ? openSession(ports, account, methods, client, remember)
        : refused('invalid_credentials', 'There is no such account, or it is not in use.')
    },
    refresh: (tokens, client) => refresh(ports, tokens, client),
    requireFresh: (session, withinMs) => requireFresh(ports, session, withinMs),
    reauthenticate: (token, password, client) => reauthenticate(ports, token, password, client),
    sessions: (userId, current) => listSessions(ports, userId, current),
    revokeOwn: (userId, sessionId, reason, by) => revokeOwn(ports, userId, sessionId, reason, by),
    fingerprint: device => ports.keys.fingerprint(device, 'device'),
    revokeSession: (sessionId, reason) => revokeSession(ports, sessionId, reason),
    endSessions: (userId, reason, keepSession, by) => endSessions(ports, userId, reason, keepSession, by),
  }
}
