/** Password hashes: Argon2id in PHC strings by OWASP's parameters, computed in a bounded queue; those of libsodium are read too. */
import { hash, verify } from '@node-rs/argon2'
import { AppError } from '../core/errors.ts'
import { createWorkQueue } from './work-queue.ts'

export interface PasswordHasher {
  /** Throws AppError `overloaded`; `invalid_input` where it is no text or too long: nothing was computed. */
  hash(password: string): Promise<string>
  /**
   * `stale`: right, and hashed under parameters that are no longer used. `unusable`: no hash, or one that asks for more
   * than is ever computed. Whatever is not right has cost the same. Throws AppError `overloaded`.
   */
  verify(stored: string, password: string): Promise<'wrong' | 'right' | 'stale' | 'unusable'>
  /** Costs what a wrong password costs: what is asked where there is no such user. Throws AppError `overloaded`. */
  verifyNobody(password: string): Promise<'wrong'>
  stats(): { readonly running: number; readonly waiting: number; readonly refused: number }
}

/** Memory in KiB, passes, lanes. */
export interface Argon2Cost {
  readonly m: number
  readonly t: number
  readonly p: number
}

export interface PasswordHasherOptions {
  /** Of new hashes. Default: OWASP's. */
  readonly cost?: Argon2Cost
  /** Hashes computed at a time; each takes one of the four threads of libuv, which files and name look-ups need too. Default 2. */
  readonly atOnce?: number
  /** How many may wait. Default 64: some 0.8 s at OWASP's parameters. */
  readonly mostWaiting?: number
  /** Whether accounts with hashes of libsodium's interactive parameters are expected: a wrong password costs as much as for them then. */
  readonly legacy?: boolean
  /** Told what each computation costs, before it is made. */
  readonly onCompute?: (cost: Argon2Cost) => void
}

/** OWASP Password Storage Cheat Sheet. */
export const OWASP: Argon2Cost = { m: 19_456, t: 2, p: 1 }
/** What crypto_pwhash_str makes at OPSLIMIT_INTERACTIVE and MEMLIMIT_INTERACTIVE. */
export const LIBSODIUM_INTERACTIVE: Argon2Cost = { m: 65_536, t: 2, p: 1 }

/** Bytes of a password after normalisation. */
export const MAX_PASSWORD_BYTES = 1_024

/** Up to libsodium's MODERATE: an imported hash must not make a login take a gigabyte or a minute. */
const DEAREST = { m: 262_144, t: 16, p: 4, work: 1_048_576 }
/** Costs beside the present one that failures pay too. */
const MOST_COSTS = 4
const FORM =
  /^\$argon2(?:id|i)\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,172})$/

export function createPasswordHasher(options: PasswordHasherOptions = {}): PasswordHasher {
  const { cost = OWASP, atOnce = 2, mostWaiting = 64, legacy = false, onCompute = () => {} } = options
  const queue = createWorkQueue({ atOnce, mostWaiting })
  /** Older costs that accounts have. */
  const older = new Map<string, Argon2Cost>(legacy ? [[nameOf(LIBSODIUM_INTERACTIVE), LIBSODIUM_INTERACTIVE]] : [])
  const compute = (password: string, { m, t, p }: Argon2Cost) => {
    onCompute({ m, t, p })
    // Argon2id is the library's default, and its enum is none that stripped types could import.
    return hash(password, { memoryCost: m, timeCost: t, parallelism: p })
  }

  /** Pays what is left of the price of a failure: each cost that accounts have, once for each form of the password. */
  const payRest = async (forms: readonly string[], paid: readonly string[]) => {
    const owed = [cost, ...older.values()].flatMap(each => forms.map(form => ({ each, form })))
    for (const name of paid) {
      const index = owed.findIndex(({ each }) => nameOf(each) === name)
      if (index >= 0) owed.splice(index, 1)
    }
    for (const { each, form } of owed) await compute(form, each)
  }

  return {
    hash: async password => {
      const forms = formsOf(password)
      if (forms === undefined)
        throw new AppError(
          'invalid_input',
          `A password is text of at most ${MAX_PASSWORD_BYTES} bytes. Nothing was changed. Choose a shorter one.`,
        )
      return queue.run(() => compute(forms[0], cost))
    },
    verify: async (stored, password) => {
      const forms = formsOf(password)
      if (forms === undefined) return 'wrong'
      const used = costOf(stored)
      if (used !== undefined && nameOf(used) !== nameOf(cost) && older.size < MOST_COSTS) older.set(nameOf(used), used)
      return queue.run(async () => {
        const paid: string[] = []
        if (used !== undefined)
          for (const form of forms) {
            onCompute(used)
            // What the pattern lets through and the library refuses is no hash either, and has cost nothing.
            const right = await verify(stored, form).catch(() => undefined)
            if (right !== undefined) paid.push(nameOf(used))
            if (right === true) return form === forms[0] && isCurrent(stored, cost) ? 'right' : 'stale'
          }
        await payRest(forms, paid)
        return used === undefined ? 'unusable' : 'wrong'
      })
    },
    verifyNobody: async password => {
      const forms = formsOf(password)
      if (forms !== undefined) await queue.run(() => payRest(forms, []))
      return 'wrong'
    },
    stats: () => queue.stats(),
  }
}

/**
 * What is hashed of a password: NFC (RFC 8265, OpaqueString), so that it does not matter which keyboard composed an accent;
 * and the text as given, where it differs, for hashes of 24.2. Undefined where there is no text, or too much of it.
 */
function formsOf(password: string): readonly [string, ...string[]] | undefined {
  // A lone surrogate would become U+FFFD, and several passwords one. NFC makes no text more than three times as long.
  if (password.length > MAX_PASSWORD_BYTES || !password.isWellFormed()) return undefined
  const normal = password.normalize('NFC')
  if (normal === '' || Buffer.byteLength(normal) > MAX_PASSWORD_BYTES) return undefined
  return normal === password || Buffer.byteLength(password) > MAX_PASSWORD_BYTES ? [normal] : [normal, password]
}

/** What a hash asks for, or undefined where it is none or asks for too much. */
function costOf(stored: string): Argon2Cost | undefined {
  const [m = 0, t = 0, p = 0] = (FORM.exec(stored) ?? []).slice(1, 4).map(Number)
  const fits = m >= 8 * p && m <= DEAREST.m && t <= DEAREST.t && p <= DEAREST.p && m * t <= DEAREST.work
  return m > 0 && fits ? { m, t, p } : undefined
}

function isCurrent(stored: string, cost: Argon2Cost): boolean {
  return stored.startsWith(`$argon2id$v=19$${nameOf(cost)}$`)
}

function nameOf({ m, t, p }: Argon2Cost): string {
  return `m=${m},t=${t},p=${p}`
}
