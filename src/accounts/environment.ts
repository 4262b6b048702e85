/** Account settings as the environment says them: one variable a setting, each with its form. */
import { z } from 'zod'
import { MAX_OPEN_SESSIONS, ROLES, type Role } from '../machines/user/events.ts'
import { ATTEMPT_BUDGETS, ATTEMPT_KINDS, type AttemptBudget } from './attempts.ts'
import { isAbove, isPublicUrl } from './public-url.ts'
import { ACCOUNT_DEFAULTS, type AccountSettings, type SessionLimit } from './settings.ts'

interface Variable {
  /** For the error that quotes it. */
  readonly form: string
  /** Undefined where the text does not have the form. */
  read(text: string): Partial<AccountSettings> | undefined
}

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MINUTE = MS.m
const DAY = MS.d

const PASSKEY_DOMAIN_FORM = 'the host of ROOTSTREAM_PUBLIC_URL or a domain above it, in lower case'

const HASHING = z.strictObject({
  atOnce: z.int().min(1).max(64).exactOptional(),
  mostWaiting: z.int().min(0).max(10_000).exactOptional(),
  legacy: z.boolean().exactOptional(),
})

const seconds = z
  .int()
  .min(1)
  .max((20 * DAY) / MS.s)
  .exactOptional()
const count = z.int().min(1).max(1_000_000).exactOptional()
const BUDGET = z.strictObject({
  free: count,
  within: seconds,
  firstWait: seconds,
  longestWait: seconds,
  most: count,
  remembered: seconds,
})
/** By kind; what is left out of one is that of its default. */
const BUDGETS = z.strictObject(
  Object.fromEntries(
    ATTEMPT_KINDS.map(kind => [
      kind,
      BUDGET.transform((given): AttemptBudget => ({ ...ATTEMPT_BUDGETS[kind], ...given }))
        .refine(({ free, most, firstWait, longestWait }) => free <= most && firstWait <= longestWait)
        .exactOptional(),
    ]),
  ),
)

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
  ROOTSTREAM_ON_NEW_DEVICE: choice('onNewDevice', ['ignore', 'step_up', 'revoke']),
  ROOTSTREAM_ON_NEW_NETWORK: choice('onNewNetwork', ['ignore', 'step_up', 'revoke']),
  ROOTSTREAM_REQUIRE_VERIFIED_EMAIL: flag('requireVerifiedEmail'),
  ROOTSTREAM_REGISTRATION: choice('registration', ['open', 'closed']),
  ROOTSTREAM_LOOKALIKES: choice('lookalikes', ['refuse', 'allow']),
  ROOTSTREAM_PASSWORD_MIN_LENGTH: number('', 8, 64, passwordMinLength => ({ passwordMinLength })),
  ROOTSTREAM_PASSWORD_HASHING: {
    form: 'any of atOnce (1 to 64), mostWaiting (0 to 10000) and legacy as JSON, for example {"atOnce":4,"legacy":true}',
    read: text => {
      const given = json(HASHING, text)
      return given && { passwordHashing: { ...ACCOUNT_DEFAULTS.passwordHashing, ...given } }
    },
  },
  ROOTSTREAM_ATTEMPT_BUDGETS: {
    form:
      `what differs from the defaults as JSON, times in seconds, for example {"login.account":{"free":3,"most":20}}; ` +
      `of ${ATTEMPT_KINDS.join(', ')}, each with free, within, firstWait, longestWait (not less than firstWait), most (not less than free) and remembered (at most 20 days)`,
    read: text => {
      const attemptBudgets = json(BUDGETS, text)
      return attemptBudgets && { attemptBudgets }
    },
  },
  ROOTSTREAM_CODE_DIGITS: number('', 6, 8, codeDigits => ({ codeDigits })),
  ROOTSTREAM_SMS_ALONE: flag('smsAlone'),
  ROOTSTREAM_TELL_NEW_DEVICE: flag('tellNewDevice'),
  ROOTSTREAM_DEVICE_DAYS: number(' of days', 1, 365, days => ({ deviceMs: days * DAY })),
  ROOTSTREAM_PUBLIC_URL: {
    form: 'https://host without user, query or fragment; http on loopback only',
    read: text => (isPublicUrl(text) ? { publicUrl: text } : undefined),
  },
  ROOTSTREAM_PASSKEY_DOMAIN: {
    form: PASSKEY_DOMAIN_FORM,
    read: text => (/^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,9}$/.test(text) ? { passkeyDomain: text } : undefined),
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
  const { publicUrl, passkeyDomain } = settings
  // Browsers refuse any other, at the first user who tries.
  if (passkeyDomain !== undefined && !isAbove(passkeyDomain, publicUrl))
    wrong.push(['ROOTSTREAM_PASSKEY_DOMAIN', PASSKEY_DOMAIN_FORM])
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

type Choices = 'onNewDevice' | 'onNewNetwork' | 'registration' | 'lookalikes'

function choice<Setting extends Choices>(setting: Setting, values: readonly AccountSettings[Setting][]): Variable {
  return {
    form: `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
    read: text => {
      const value = values.find(candidate => candidate === text)
      return value && { [setting]: value }
    },
  }
}

function flag(setting: 'requireVerifiedEmail' | 'smsAlone' | 'tellNewDevice'): Variable {
  return {
    form: 'true or false',
    read: text => (text === 'true' || text === 'false' ? { [setting]: text === 'true' } : undefined),
  }
}

/** @param of what is counted, as the form says it */
function number(
  of: string,
  least: number,
  most: number,
  setting: (value: number) => Partial<AccountSettings>,
): Variable {
  return {
    form: `a number${of} from ${least} to ${most}`,
    read: text => {
      const value = Number(text)
      return /^[1-9]\d{0,5}$/.test(text) && value >= least && value <= most ? setting(value) : undefined
    },
  }
}

function json<Output>(schema: z.ZodType<Output>, text: string): Output | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
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
