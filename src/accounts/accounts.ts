/** Accounts of a node: who somebody is, and for how long that holds. */
import type { FactorMethod } from '../machines/factor/events.ts'
import type { AccountRefusal } from './answers.ts'
import { type NewBackupCodes, replaceBackupCodes } from './backup-codes.ts'
import type { Client } from './client.ts'
import {
  listFactors,
  type RemovalAnswer,
  type ResetAnswer,
  removeFactor,
  resetFactors,
  resetFactorsOf,
  type ShownFactor,
} from './factor-changes.ts'
import { type Credentials, login } from './login.ts'
import type { AccountPorts } from './ports.ts'
import { type Registered, type Registration, register } from './registration.ts'
import { endSessions, type OpenedSession, type PendingSession, revokeSession } from './sessions.ts'
import { type ShownSession, shownSession } from './shown-session.ts'
import { type ConfirmedFactor, confirmTotp, enrolTotp, type TotpEnrolment, type TotpOptions } from './totp.ts'
import { type ValidSession, validate } from './validation.ts'
import { type CodeShown, type VerifiedSession, verifyFactor } from './verify-factor.ts'

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
  factors(userId: number): Promise<readonly ShownFactor[]>
  /** Completes the login of a pending session, or makes an open one fresh; the token is a new one. */
  verifyFactor(token: string, shown: CodeShown, client?: Client): Promise<VerifiedSession | AccountRefusal>
  enrolTotp(token: string, options?: TotpOptions, client?: Client): Promise<TotpEnrolment | AccountRefusal>
  confirmTotp(token: string, code: string, client?: Client): Promise<ConfirmedFactor | AccountRefusal>
  /** Ten new ones; the old ones are void. */
  replaceBackupCodes(token: string, client?: Client): Promise<NewBackupCodes | AccountRefusal>
  removeFactor(token: string, method: FactorMethod, client?: Client): Promise<RemovalAnswer>
  /** Takes all factors away and ends all sessions; answers how many factors there were. */
  resetFactors(userId: number, options?: { by?: number; reason?: string }): Promise<number>
  /** The same for an administrator with a fresh factor, by the token of their session. */
  resetFactorsOf(token: string, userId: number, client?: Client): Promise<ResetAnswer>
}

export function createAccounts(ports: AccountPorts): Accounts {
  const withSession = async <Answer>(
    token: string,
    client: Client,
    work: (session: ShownSession) => Promise<Answer>,
  ): Promise<Answer | AccountRefusal> => {
    const session = await shownSession(ports, token, client)
    return session.ok ? work(session) : session
  }
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
    factors: userId => listFactors(ports, userId),
    verifyFactor: (token, shown, client = {}) =>
      withSession(token, client, session => verifyFactor(ports, session, shown, client)),
    enrolTotp: (token, options = {}, client = {}) =>
      withSession(token, client, session => enrolTotp(ports, session, options)),
    confirmTotp: (token, code, client = {}) =>
      withSession(token, client, session => confirmTotp(ports, session, code, client)),
    replaceBackupCodes: (token, client = {}) =>
      withSession(token, client, session => replaceBackupCodes(ports, session)),
    removeFactor: (token, method, client = {}) =>
      withSession(token, client, session => removeFactor(ports, session, method)),
    resetFactors: (userId, options) => resetFactors(ports, userId, options),
    resetFactorsOf: (token, userId, client = {}) =>
      withSession(token, client, session => resetFactorsOf(ports, session, userId)),
  }
}
