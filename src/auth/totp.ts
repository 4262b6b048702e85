/** Codes of authenticator apps: TOTP (RFC 6238) with SHA-1, six digits and steps of 30 seconds, which is what all apps know. */
import { generateSecret, generateURI, verifySync } from 'otplib'

const STEP_S = 30
const CODE = /^[0-9]{6}$/
/** Characters of a label or issuer that fit on the screen of a phone, and into a QR code whatever they are. */
const MAX_LABEL = 64

/** 160 random bits in Base32, as RFC 4226 recommends. */
export function newTotpSecret(): string {
  return generateSecret({ length: 20 })
}

/** Whether a text can be a code at all. Only ASCII digits: what looks like one to a person is another code to a hash. */
export function isTotpForm(code: string): boolean {
  return CODE.test(compact(code))
}

/**
 * The time step of which this is the code, now or one step beside it; undefined where there is none after `lastStep`.
 * @param now milliseconds since the epoch
 * @param lastStep the last one that was used, -1 for none
 */
export function matchTotp(secret: string, code: string, now: number, lastStep: number): number | undefined {
  const token = compact(code)
  const newest = Math.floor(now / 1_000 / STEP_S) + 1
  // The library throws on other texts, on times before 1970, and on a last step that lies ahead of its window, as after a clock was set back.
  if (!CODE.test(token) || now < 0 || lastStep >= newest) return undefined
  const result = verifySync({
    secret,
    token,
    epoch: Math.floor(now / 1_000),
    epochTolerance: STEP_S,
    ...(lastStep < 0 ? {} : { afterTimeStep: lastStep }),
  })
  return result.valid && 'timeStep' in result ? result.timeStep : undefined
}

/** What an authenticator app reads from the QR code. */
export function totpUri({ issuer, account, secret }: { issuer: string; account: string; secret: string }): string {
  return generateURI({ issuer: label(issuer), label: label(account), secret, digits: 6, period: STEP_S })
}

/** People type codes as apps show them, in two groups. */
function compact(code: string): string {
  return code.length > 16 ? '' : code.replaceAll(' ', '')
}

/** A colon parts issuer and account, and the library leaves it as it is. */
function label(text: string): string {
  const plain = text
    .toWellFormed()
    .replaceAll(/[:\p{Cc}\p{Cf}]/gu, ' ')
    .replaceAll(/ +/g, ' ')
    .trim()
  return [...plain].slice(0, MAX_LABEL).join('')
}
