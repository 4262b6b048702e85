/** What accounts answer: a refusal is a value that says no more than its receiver may know. */
import { AppError } from '../core/errors.ts'
import type { FactorMethod } from '../machines/factor/events.ts'

/** Each with what it means, for people. */
export const ACCOUNT_REFUSALS = {
  invalid_credentials: { status: 401, meaning: 'The name or the password is wrong, or the account is not in use.' },
  invalid_session: { status: 401, meaning: 'The session is over, or never was. Sign in again.' },
  factor_required: { status: 403, meaning: 'A second factor has to be shown first.' },
  invalid_code: { status: 401, meaning: 'The code is wrong, over, or was used before.' },
  invalid_passkey: {
    status: 401,
    meaning: 'The passkey is not known here, or what it signed is wrong, over, or was used before.',
  },
  factor_exists: { status: 409, meaning: 'There is such a factor already. Remove it first.' },
  forbidden: { status: 403, meaning: 'The roles of the account do not allow this.' },
  too_many_attempts: { status: 429, meaning: 'There were too many attempts. Wait before the next.' },
  session_limit: { status: 409, meaning: 'As many sessions as allowed are open. End one of them first.' },
  unknown_session: { status: 404, meaning: 'There is no such session of this account.' },
  unusable_password: { status: 422, meaning: 'The password is too short, too long or too well known.' },
  unknown_user: { status: 404, meaning: 'There is no such account in use.' },
  unusable_name: { status: 422, meaning: 'The name has a form that is not allowed.' },
  taken: { status: 409, meaning: 'The name or the address is in use.' },
  in_the_clear: { status: 409, meaning: 'The log has personal data in the clear, which no key erases.' },
  not_offered: { status: 409, meaning: 'This is not offered here.' },
  invalid_ticket: { status: 422, meaning: 'The link was used before, is over, or never was. Ask for a new one.' },
  last_admin: { status: 409, meaning: 'It is the only administrator. Name another one first.' },
  not_in_this_state: { status: 409, meaning: 'The account is in no state that takes this.' },
  email_unverified: { status: 403, meaning: 'The address has to be verified first.' },
} as const

export type AccountRefusalReason = keyof typeof ACCOUNT_REFUSALS

export interface AccountRefusal {
  readonly ok: false
  readonly reason: AccountRefusalReason
  /** What happened and what to do next. */
  readonly detail: string
  /** Of `factor_required`: what the user can show. */
  readonly factors?: readonly (FactorMethod | 'password')[]
  /** Of `too_many_attempts`. */
  readonly retryAfterMs?: number
}

export function refused(
  reason: AccountRefusalReason,
  detail: string = ACCOUNT_REFUSALS[reason].meaning,
  retryAfterMs?: number,
): AccountRefusal {
  return { ok: false, reason, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

/** The answer where a budget of attempts is spent. */
export function tooManyAttempts({ retryAfterMs }: { readonly retryAfterMs: number }): AccountRefusal {
  return refused('too_many_attempts', undefined, retryAfterMs)
}

/** Where every try of a change found the account changed by somebody else meanwhile. */
export function accountContended(): AppError {
  return new AppError('conflict', 'Others kept changing the account. Nothing was changed by this; try again.')
}
