/** What the suites of accounts share. */
import { generateSync } from 'otplib'
import { expect } from 'vitest'

export { PASSWORD } from '../support/accounts.ts'

/** What was answered, where it is no refusal. */
export function granted<Answer extends { readonly ok: boolean }>(
  answer: Answer,
): Extract<Answer, { readonly ok: true }> {
  if (!answer.ok) expect.unreachable(JSON.stringify(answer))
  return answer as Extract<Answer, { readonly ok: true }>
}

/** The code an authenticator app shows. @param now milliseconds since the epoch */
export function codeOf(secret: string, now: number): string {
  return generateSync({ secret, epoch: Math.floor(now / 1_000) })
}
