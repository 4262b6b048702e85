/** What an operator may choose of accounts and sessions. */
import type { Role } from '../machines/user/events.ts'
import type { AttemptBudget, AttemptKind } from './attempts.ts'

/** What a session that shows up elsewhere leads to. */
export type BindingPolicy = 'ignore' | 'step_up' | 'revoke'

export interface SessionLimit {
  readonly most: number
  /** Of a login beyond it: it is refused, or the oldest session is revoked. */
  readonly policy: 'refuse' | 'revoke_oldest'
}

/** Times in milliseconds. */
export interface AccountSettings {
  /** Shown by authenticator apps and in mails. */
  readonly issuer: string
  /** Without a request for so long, a session is over. */
  readonly idleMs: number
  /** However busy, a session is over after this, or asks for the remember-me token. */
  readonly absoluteMs: number
  /** How long a remembered session lasts. */
  readonly rememberMs: number
  /** How long there is for the second factor. */
  readonly pendingMs: number
  /** What may pass until a session that was revoked anywhere is refused everywhere, whatever is down. */
  readonly maxStaleMs: number
  /** How fresh a factor has to be for what asks for step-up. */
  readonly stepUpMs: number
  /** By role; who has several has the largest. */
  readonly sessionLimits: Readonly<Record<Role, SessionLimit>>
  readonly onNewDevice: BindingPolicy
  readonly onNewNetwork: BindingPolicy
  /** Whether a login waits for the address to be verified. */
  readonly requireVerifiedEmail: boolean
  /** Domain of the passkeys, where it is not the host of `publicUrl` but one above it. They are void under another. */
  readonly passkeyDomain?: string
  /** How long a device is trusted. */
  readonly deviceMs: number
  /** Where users reach this installation, as `https://stream.example.org`: links in mails lead there, and passkeys belong to it. Without it mails carry the token alone, and there are no passkeys. */
  readonly publicUrl?: string
  /** Of codes that are sent; 6 to 8. */
  readonly codeDigits: number
  /** How long such a code is good for; at most ten minutes. */
  readonly codeMs: number
  /** How long a mail to verify an address, or to recover an account, is good for. */
  readonly verificationMs: number
  readonly recoveryMs: number
  /** Whether text messages may be the only factor, and not just one beside a stronger one. */
  readonly smsAlone: boolean
  /** Whether owners are told of a login on a device that is new to the account. */
  readonly tellNewDevice: boolean
  /** Characters a password has at least, where it is the only factor and where there is a second one. */
  readonly passwordMinLength: number
  readonly passwordMinLengthWithFactor: number
  readonly passwordHashing: PasswordHashing
  /** Who may open an account over HTTP: anybody, or whoever has the token of the node or is an administrator. */
  readonly registration: 'open' | 'closed'
  /** Of a new user name that looks like one there is. */
  readonly lookalikes: 'refuse' | 'allow'
  /** What is not given is `ATTEMPT_BUDGETS`. */
  readonly attemptBudgets: Partial<Record<AttemptKind, AttemptBudget>>
}

export interface PasswordHashing {
  /** Hashes computed at a time, each on one of the threads of libuv (four, unless UV_THREADPOOL_SIZE says more). */
  readonly atOnce: number
  /** How many may wait; beyond that a login is refused as overloaded. */
  readonly mostWaiting: number
  /** Whether accounts were taken over with hashes of libsodium: failures cost as much as with those then, from the first on. */
  readonly legacy: boolean
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** By NIST SP 800-63B-4, AAL2: an hour idle and a day overall at most; 15 characters where the password is the only factor. */
export const ACCOUNT_DEFAULTS: AccountSettings = {
  issuer: 'RootStream',
  idleMs: HOUR_MS,
  absoluteMs: 24 * HOUR_MS,
  rememberMs: 30 * 24 * HOUR_MS,
  pendingMs: 10 * MINUTE_MS,
  maxStaleMs: 5_000,
  stepUpMs: 5 * MINUTE_MS,
  sessionLimits: {
    admin: { most: 5, policy: 'revoke_oldest' },
    operator: { most: 10, policy: 'revoke_oldest' },
    viewer: { most: 20, policy: 'revoke_oldest' },
  },
  onNewDevice: 'step_up',
  onNewNetwork: 'ignore',
  requireVerifiedEmail: false,
  deviceMs: 30 * 24 * HOUR_MS,
  passwordMinLength: 15,
  codeDigits: 6,
  codeMs: 10 * MINUTE_MS,
  verificationMs: 24 * HOUR_MS,
  recoveryMs: HOUR_MS,
  smsAlone: false,
  tellNewDevice: true,
  passwordMinLengthWithFactor: 8,
  passwordHashing: { atOnce: 2, mostWaiting: 64, legacy: false },
  registration: 'closed',
  lookalikes: 'refuse',
  attemptBudgets: {},
}
