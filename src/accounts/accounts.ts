/** Accounts of a node: who somebody is, and for how long that holds. */
import type { FactorMethod } from '../machines/factor/events.ts'
import type { Method } from '../machines/session/events.ts'
import type { ConfirmedFactor } from './added-factor.ts'
import { type AddressEnrolment, confirmAddressFactor, enrolAddress } from './address-factors.ts'
import { type Administration, createAdministration } from './administration.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { type NewBackupCodes, replaceBackupCodes } from './backup-codes.ts'
import { changeEmail, type EmailChange } from './change-email.ts'
import type { Client } from './client.ts'
import { type VerifiedEmail, verifyEmail } from './email-verification.ts'
import { endSessions, revokeSession } from './end-sessions.ts'
import {
  listFactors,
  type RemovalAnswer,
  type ResetAnswer,
  removeFactor,
  resetFactors,
  resetFactorsOf,
  type ShownFactor,
} from './factor-changes.ts'
import { type AccountStats, countingRefusals, createAccountFigures } from './figures.ts'
import { type Credentials, login } from './login.ts'
import { logout } from './logout.ts'
import { createPasskeys, type Passkeys } from './passkeys.ts'
import { changePassword, type PasswordChange, setPassword } from './passwords.ts'
import { authorize, needsFreshFactor, type Permission } from './permissions.ts'
import type { AccountPorts } from './ports.ts'
import { type Asked, askRecovery, askVerification, completeRecovery } from './recovery.ts'
import { refresh, type ShownTokens } from './refresh.ts'
import { type Registered, type Registration, type RegistrationOptions, register } from './registration.ts'
import { type AddressMethod, type CodeSent, sendCode } from './sent-codes.ts'
import { type ListedSession, listSessions, revokeOwn } from './session-list.ts'
import { type OpenedSession, openSession, type PendingSession } from './sessions.ts'
import type { AccountSettings } from './settings.ts'
import { type ShownSession, withShownSession } from './shown-session.ts'
import { reauthenticate, requireFresh } from './step-up.ts'
import { confirmTotp, enrolTotp, type TotpEnrolment, type TotpOptions } from './totp.ts'
import { createTrustedDevices, type TrustedDevices } from './trusted-devices.ts'
import { readAccount } from './users.ts'
import { type ValidSession, validate } from './validation.ts'
import { type CodeShown, type VerifiedSession, verifyFactor } from './verify-factor.ts'

export interface Accounts {
  readonly settings: AccountSettings
  readonly passkeys: Passkeys
  readonly devices: TrustedDevices
  /** Throws AppError `invalid_event`, `overloaded`. */
  register(registration: Registration, options?: RegistrationOptions): Promise<Registered | AccountRefusal>
  login(credentials: Credentials, client?: Client): Promise<OpenedSession | PendingSession | AccountRefusal>
  /** Whether a token opens anything; without a client, what it is bound to is not looked at. Throws AppError `log_unavailable`. */
  validate(token: string, client?: Client): Promise<ValidSession | AccountRefusal>
  /** Ends the session of a token, or of the remember-me token beside it; one that opens nothing is no error. */
  logout(token: string | undefined, rememberToken?: string): Promise<void>
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
  sessions(userId: number, current?: number): Promise<readonly ListedSession[]>
  /** Ends a session of this user; refused where it is none. */
  revokeOwn(userId: number, sessionId: number, reason: string, by?: number): Promise<AccountRefusal | undefined>
  /** What a client says of its device, as sessions hold it. */
  fingerprint(device: string): string
  /** Ends all other sessions of the user; the token in the answer takes the place of the one that was shown. */
  changePassword(session: ValidSession, change: PasswordChange): Promise<OpenedSession | AccountRefusal>
  /** Ends all sessions of the user. `by`: the administrator who sets it; absent: whoever runs the node. */
  setPassword(userId: number, password: string, by?: ValidSession): Promise<{ readonly ok: true } | AccountRefusal>
  revokeSession(sessionId: number, reason: string): Promise<void>
  /** All of a user, or all but one; answers how many were open. `by`: the user who does it, for the audit. */
  endSessions(userId: number, reason: string, keepSession?: number, by?: number): Promise<number>
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
  const withSession = <Answer>(token: string, client: Client, work: (session: ShownSession) => Promise<Answer>) =>
    withShownSession(ports, token, client, work)
  const figures = createAccountFigures()
  ports.onCommitted(figures.committed)
  const accounts: Accounts = {
    passkeys: createPasskeys(ports),
    devices: createTrustedDevices(ports),
    settings: ports.settings,
    register: (registration, options) => register(ports, registration, options),
    login: (credentials, client = {}) => login(ports, credentials, client),
    validate: (token, client) => validate(ports, token, client),
    logout: (token, rememberToken) => logout(ports, { token, rememberToken }),
    createSession: async (userId, client = {}, { methods = ['password'] as const, remember = false } = {}) => {
      const known = await readAccount(ports, userId, { maxStaleMs: ports.settings.maxStaleMs })
      // Only the log can say that it is in use again.
      const account = known.active ? known : await readAccount(ports, userId)
      return account.active
        ? openSession(ports, account, methods, client, remember, null)
        : refused('invalid_credentials', 'There is no such account, or it is not in use.')
    },
    refresh: (tokens, client) => refresh(ports, tokens, client),
    requireFresh: (session, withinMs) => requireFresh(ports, session, withinMs),
    reauthenticate: (token, password, client) => reauthenticate(ports, token, password, client),
    sessions: (userId, current) => listSessions(ports, userId, current),
    revokeOwn: (userId, sessionId, reason, by) => revokeOwn(ports, userId, sessionId, reason, by),
    fingerprint: device => ports.keys.fingerprint(device, 'device'),
    changePassword: (session, change) => changePassword(ports, session, change),
    setPassword: (userId, password, by) => setPassword(ports, userId, password, by),
    revokeSession: (sessionId, reason) => revokeSession(ports, sessionId, reason),
    endSessions: (userId, reason, keepSession, by) => endSessions(ports, userId, reason, keepSession, by),
    factors: userId => listFactors(ports, userId),
    verifyFactor: (token, shown, client = {}) =>
      // A session that is over by now takes no factor, and the log says so.
      withShownSession(
        ports,
        token,
        client,
        session => verifyFactor(ports, session, shown, client),
        ports.settings.maxStaleMs,
      ),
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
    authorize: (session, permission, { fresh = needsFreshFactor(permission) } = {}) =>
      authorize(session, permission, fresh ? { now: ports.clock.now(), withinMs: ports.settings.stepUpMs } : undefined),
    administration: createAdministration(ports),
    stats: () => ({ ...figures.stats(), hashing: ports.hasher.stats() }),
  }
  return countingRefusals(accounts, figures.refused)
}
