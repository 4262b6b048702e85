/** Account settings as the environment says them: one variable a setting, each with its form. */
import { MAX_OPEN_SESSIONS, ROLES, type Role } from '../machines/user/events.ts'
import { ACCOUNT_DEFAULTS, type AccountSettings, type BindingPolicy, type SessionLimit } from './settings.ts'

interface Variable {
  /** For the error that quotes it. */
  readonly form: string
  /** Undefined where the text does not have the form. */
  read(text: string): Partial<AccountSettings> | undefined
}

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MINUTE = MS.m
const DAY = MS.d

export const ACCOUNT_VARIABLES = {
  ROOTSTREAM_ISSUER: {
    form: '1 to 64 characters without control characters or colons',
    read: text => (/^[^\p{Cc}\p{Cf}:]{1,64}$/u.test(text) && text.isWellFormed() ? { issuer: text } : undefined),
  },
  ROOTSTREAM_SESSION_IDLE: duration('idleMs', MINUTE, 30 * DAY),
  ROOTSTREAM_SESSION_ABSOLUTE: duration('absoluteMs', MINUTE, 365 * DAY),
  ROOTSTREAM_SESSION_REMEMBER: duration('rememberMs', MINUTE, 365 * DAY),
  ROOTSTREAM_SESSION_PENDING: duration('pendingMs', 10 * MS.s, MS.h),
  ROOTSTREAM_SESSION_BOUND: duration('maxStaleMs', 0, MINUTE),
  ROOTSTREAM_STEP_UP: duration('stepUpMs', 10 * MS.s, DAY),
  ROOTSTREAM_SESSION_LIMITS: {
    form: `roles with the most sessions of each, 1 to ${MAX_OPEN_SESSIONS}, and what a login beyond it leads to, for example admin=5:refuse,viewer=20:revoke_oldest`,
    read: readLimits,
  },
  ROOTSTREAM_ON_NEW_DEVICE: policy('onNewDevice'),
  ROOTSTREAM_ON_NEW_NETWORK: policy('onNewNetwork'),
  ROOTSTREAM_REQUIRE_VERIFIED_EMAIL: {
    form: 'true or false',
    read: text => (text === 'true' || text === 'false' ? { requireVerifiedEmail: text === 'true' } : undefined),
  },
  ROOTSTREAM_PASSWORD_MIN_LENGTH: {
    form: 'a number from 8 to 64',
    read: text => {
      const least = Number(text)
      return /^\d{1,2}$/.test(text) && least >= 8 && least <= 64 ? { passwordMinLength: least } : undefined
    },
  },
} as const satisfies Record<string, Variable>

export type AccountVariable = keyof typeof ACCOUNT_VARIABLES

const VARIABLES: Readonly<Record<AccountVariable, Variable>> = ACCOUNT_VARIABLES

export interface AccountEnvironment {
  readonly settings: Partial<AccountSettings>
  /** Variables whose values do not go together, and what they must be. */
  readonly wrong: readonly (readonly [AccountVariable, string])[]
}

/** @param values by variable, each of its form */
export function readAccountSettings(
  values: Readonly<Partial<Record<AccountVariable, string | undefined>>>,
): AccountEnvironment {
  const names = Object.keys(VARIABLES) as AccountVariable[]
  const settings: Partial<AccountSettings> = Object.assign(
    {},
    ...names.map(name => (values[name] === undefined ? {} : VARIABLES[name].read(values[name]))),
  )
  const { idleMs, absoluteMs, rememberMs } = { ...ACCOUNT_DEFAULTS, ...settings }
  const wrong: [AccountVariable, string][] = []
  if (idleMs > absoluteMs) wrong.push(['ROOTSTREAM_SESSION_IDLE', 'at most ROOTSTREAM_SESSION_ABSOLUTE'])
  if (absoluteMs > rememberMs) wrong.push(['ROOTSTREAM_SESSION_ABSOLUTE', 'at most ROOTSTREAM_SESSION_REMEMBER'])
  return { settings, wrong }
}

type Durations = 'idleMs' | 'absoluteMs' | 'rememberMs' | 'pendingMs' | 'maxStaleMs' | 'stepUpMs'

function duration(setting: Durations, least: number, most: number): Variable {
  return {
    form: `a time from ${inWords(least)} to ${inWords(most)}, as 500ms, 90s, 15m, 24h or 30d`,
    read: text => {
      const [, digits = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
      const ms = Number(digits) * MS[unit as keyof typeof MS]
      return ms >= least && ms <= most ? { [setting]: ms } : undefined
    },
  }
}

function inWords(ms: number): string {
  const [unit, size] = Object.entries(MS).findLast(([, each]) => ms >= each && ms % each === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}

function policy(setting: 'onNewDevice' | 'onNewNetwork'): Variable {
  return {
    form: 'ignore, step_up or revoke',
    read: text => (isPolicy(text) ? { [setting]: text } : undefined),
  }
}

function isPolicy(text: string): text is BindingPolicy {
  return text === 'ignore' || text === 'step_up' || text === 'revoke'
}

/** Roles that are not named keep their limit, and one without a policy its policy. */
function readLimits(text: string): Partial<AccountSettings> | undefined {
  const limits: Record<Role, SessionLimit> = { ...ACCOUNT_DEFAULTS.sessionLimits }
  const named = new Set<string>()
  for (const part of text.split(',')) {
    const [, name = '', digits = '', given] = /^ *([a-z]+)=(\d{1,4})(?::(refuse|revoke_oldest))? *$/.exec(part) ?? []
    const role = ROLES.find(candidate => candidate === name)
    const most = Number(digits)
    if (role === undefined || named.has(role) || most < 1 || most > MAX_OPEN_SESSIONS) return undefined
    named.add(role)
    limits[role] = { most, policy: (given as SessionLimit['policy'] | undefined) ?? limits[role].policy }
  }
  return { sessionLimits: limits }
}
