/** Accounts of a node: who somebody is, and for how long that holds. */
import type { FactorMethod } from '../machines/factor/events.ts'
import { type AddressEnrolment, confirmAddressFactor, enrolAddress } from './address-factors.ts'
import type { AccountRefusal } from './answers.ts'
import { type NewBackupCodes, replaceBackupCodes } from './backup-codes.ts'
import { changeEmail, type EmailChange } from './change-email.ts'
import type { Client } from './client.ts'
import { type VerifiedEmail, verifyEmail } from './email-verification.ts'
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
import { createPasskeys, type Passkeys } from './passkeys.ts'
import type { AccountPorts } from './ports.ts'
import { type Asked, askRecovery, askVerification, completeRecovery } from './recovery.ts'
import { type Registered, type Registration, register } from './registration.ts'
import { type AddressMethod, type CodeSent, sendCode } from './sent-codes.ts'
import { endSessions, type OpenedSession, type PendingSession, revokeSession } from './sessions.ts'
import { type ShownSession, withShownSession } from './shown-session.ts'
import { type ConfirmedFactor, confirmTotp, enrolTotp, type TotpEnrolment, type TotpOptions } from './totp.ts'
import { createTrustedDevices, type TrustedDevices } from './trusted-devices.ts'
import { type ValidSession, validate } from './validation.ts'
import { type CodeShown, type VerifiedSession, verifyFactor } from './verify-factor.ts'

export interface Accounts {
  readonly passkeys: Passkeys
  readonly devices: TrustedDevices
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
  /** Sends a first code there. Throws AppError `invalid_input`. */
  enrolAddress(token: string, enrolment: AddressEnrolment, client?: Client): Promise<CodeSent | AccountRefusal>
  confirmAddress(
    token: string,
    shown: { method: AddressMethod; code: string },
    client?: Client,
  ): Promise<ConfirmedFactor | AccountRefusal>
  /** Also where the password alone was shown so far. */
  sendCode(token: string, method: AddressMethod, client?: Client): Promise<CodeSent | AccountRefusal>
  /** The new address is to be verified. Throws AppError `invalid_event`. */
  changeEmail(token: string, change: EmailChange, client?: Client): Promise<Asked>
  /** Takes what was sent to the address of an account. */
  verifyEmail(token: string): Promise<VerifiedEmail>
  /** The answer does not tell whether there is such an account. */
  askVerification(login: string, client?: Client): Promise<Asked>
  askRecovery(login: string, client?: Client): Promise<Asked>
  /** Sets a password by what was sent to the address, and ends all sessions. */
  completeRecovery(shown: { token: string; password: string }): Promise<Asked>
  /** Ten new ones; the old ones are void. */
  replaceBackupCodes(token: string, client?: Client): Promise<NewBackupCodes | AccountRefusal>
  removeFactor(token: string, method: FactorMethod, client?: Client): Promise<RemovalAnswer>
  /** Takes all factors away and ends all sessions; answers how many factors there were. */
  resetFactors(userId: number, options?: { by?: number; reason?: string }): Promise<number>
  /** The same for an administrator with a fresh factor, by the token of their session. */
  resetFactorsOf(token: string, userId: number, client?: Client): Promise<ResetAnswer>
}

export function createAccounts(ports: AccountPorts): Accounts {
  const withSession = <Answer>(token: string, client: Client, work: (session: ShownSession) => Promise<Answer>) =>
    withShownSession(ports, token, client, work)
  return {
    passkeys: createPasskeys(ports),
    devices: createTrustedDevices(ports),
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
    enrolAddress: (token, enrolment, client = {}) =>
      withSession(token, client, session => enrolAddress(ports, session, enrolment)),
    confirmAddress: (token, shown, client = {}) =>
      withSession(token, client, session => confirmAddressFactor(ports, session, shown, client)),
    sendCode: (token, method, client = {}) => withSession(token, client, session => sendCode(ports, session, method)),
    changeEmail: (token, change, client = {}) =>
      withSession(token, client, session => changeEmail(ports, session, change)),
    verifyEmail: token => verifyEmail(ports, token),
    askVerification: (login, client = {}) => askVerification(ports, login, client),
    askRecovery: (login, client = {}) => askRecovery(ports, login, client),
    completeRecovery: shown => completeRecovery(ports, shown),
    replaceBackupCodes: (token, client = {}) =>
      withSession(token, client, session => replaceBackupCodes(ports, session)),
    removeFactor: (token, method, client = {}) =>
      withSession(token, client, session => removeFactor(ports, session, method)),
    resetFactors: (userId, options) => resetFactors(ports, userId, options),
    resetFactorsOf: (token, userId, client = {}) =>
      withSession(token, client, session => resetFactorsOf(ports, session, userId)),
  }
}
