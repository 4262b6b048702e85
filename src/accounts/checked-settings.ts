/** Account settings as an embedding program gives them, checked before anything is opened: one that is wrong would switch a protection off and say nothing. */
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { MAX_OPEN_SESSIONS, type Role } from '../machines/user/events.ts'
import { ATTEMPT_KINDS } from './attempts.ts'
import { isAbove, isPublicUrl } from './public-url.ts'
import { ACCOUNT_DEFAULTS, type AccountSettings } from './settings.ts'

const YEAR_MS = 365 * 86_400_000
/** As long as a copy in memory may be believed. */
const MAX_STALE_MS = 60_000

const ms = z.int().min(1).max(YEAR_MS)
const binding = z.enum(['ignore', 'step_up', 'revoke'])
const limit = z.object({ most: z.int().min(1).max(MAX_OPEN_SESSIONS), policy: z.enum(['refuse', 'revoke_oldest']) })
const seconds = z.number().min(0).max(YEAR_MS)
const budget = z.object({
  free: z.number().min(1),
  within: seconds,
  firstWait: seconds,
  longestWait: seconds,
  most: z.number().min(1),
  remembered: seconds,
})

const FORMS = {
  issuer: z.string().min(1).max(64),
  idleMs: ms,
  absoluteMs: ms,
  rememberMs: ms,
  pendingMs: ms,
  maxStaleMs: z.int().min(0).max(MAX_STALE_MS),
  stepUpMs: ms,
  sessionLimits: z.strictObject({ admin: limit, operator: limit, viewer: limit } satisfies Record<Role, z.ZodType>),
  onNewDevice: binding,
  onNewNetwork: binding,
  requireVerifiedEmail: z.boolean(),
  passkeyDomain: z.string().optional(),
  deviceMs: ms,
  publicUrl: z.string().refine(isPublicUrl, 'not https://host, without user, query or fragment').optional(),
  codeDigits: z.int().min(6).max(8),
  codeMs: ms,
  verificationMs: ms,
  recoveryMs: ms,
  smsAlone: z.boolean(),
  tellNewDevice: z.boolean(),
  passwordMinLength: z.int().min(8).max(64),
  passwordMinLengthWithFactor: z.int().min(8).max(64),
  passwordHashing: z.object({
    atOnce: z.int().min(1).max(64),
    mostWaiting: z.int().min(0).max(10_000),
    legacy: z.boolean(),
  }),
  registration: z.enum(['open', 'closed']),
  lookalikes: z.enum(['refuse', 'allow']),
  attemptBudgets: z.partialRecord(z.enum(ATTEMPT_KINDS), budget),
} satisfies Record<keyof AccountSettings, z.ZodType>

const SETTINGS = z
  .strictObject(FORMS)
  .refine(({ passkeyDomain, publicUrl }) => passkeyDomain === undefined || isAbove(passkeyDomain, publicUrl), {
    path: ['passkeyDomain'],
    message: 'not the host of publicUrl or a domain above it',
  })

/** What is not given, or is undefined, is `ACCOUNT_DEFAULTS`. Throws AppError `invalid_input`, which names each wrong setting. */
export function checkedSettings(given: Partial<AccountSettings> = {}): AccountSettings {
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  const settings = { ...ACCOUNT_DEFAULTS, ...Object.fromEntries(said) }
  const { error } = SETTINGS.safeParse(settings)
  if (error === undefined) return settings
  const wrong = error.issues.map(({ path, message }) => `accounts.${path.join('.')}: ${message}`)
  throw new AppError('invalid_input', `${wrong.join('; ')}. The node was not started. Correct these settings.`)
}
