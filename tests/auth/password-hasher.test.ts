/** Password hashes: what is accepted, what it costs, and how much of it there is at a time. */
import { describe, expect, test } from 'vitest'
import {
  type Argon2Cost,
  createPasswordHasher,
  LIBSODIUM_INTERACTIVE,
  OWASP,
  type PasswordHasherOptions,
} from '../../src/auth/password-hasher.ts'

/** Cheap, for tests that make many. */
const CHEAP: Argon2Cost = { m: 64, t: 1, p: 1 }
const OTHER: Argon2Cost = { m: 128, t: 2, p: 1 }

function counting(options: PasswordHasherOptions = {}) {
  const computed: string[] = []
  const hasher = createPasswordHasher({
    cost: CHEAP,
    ...options,
    onCompute: ({ m, t, p }) => void computed.push(`${m}/${t}/${p}`),
  })
  /** What was computed by it, dearest first. */
  const costOf = async (work: () => Promise<unknown>) => {
    computed.length = 0
    const answer = await work()
    return { answer, computed: computed.toSorted() }
  }
  return { hasher, costOf }
}

// Made by libsodium 1.0.18: crypto_pwhash_str_alg(password, opslimit, memlimit, alg).
const LIBSODIUM = [
  {
    made: 'argon2id, interactive',
    password: 'correct horse battery staple',
    stored: '$argon2id$v=19$m=65536,t=2,p=1$z0QP9X9xict/YhymDYgOsQ$wXzsuCVONXKM4MhzemwZgRg+RLRSkJ6oGUJvqWUEyr0',
  },
  {
    made: 'argon2i, interactive',
    password: 'correct horse battery staple',
    stored: '$argon2i$v=19$m=32768,t=4,p=1$oEKW+XrAZvnPEvPkKIQL/A$maBM3+LqatChPBDinD2uZPf1UWrVFrWvFwYcVL9je1w',
  },
  {
    made: 'argon2i, small',
    password: 'correct horse battery staple',
    stored: '$argon2i$v=19$m=32,t=3,p=1$JzuTHolGCcIyMiYzvf9+8Q$YR7qsD9JDUCHyxiQFUyfIf2R3OCHcD+bj+T5DIKJGtA',
  },
  {
    made: 'argon2id, not ASCII',
    password: 'grüße aus köln',
    stored: '$argon2id$v=19$m=64,t=2,p=1$WEUewNZ9vwrvlB2oQg2z0Q$dJkofi8x8dxXfhn0PzMziNqjEXXqk/HyIndToSp4wnc',
  },
]

describe('a hash', () => {
  test("is Argon2id at OWASP's parameters, of NFC", async () => {
    const hasher = createPasswordHasher()
    const stored = await hasher.hash('Zoe\u0308s Passwort ist lang')
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(OWASP).toEqual({ m: 19_456, t: 2, p: 1 })
    expect(await hasher.verify(stored, 'Zo\u00ebs Passwort ist lang')).toBe('right')
    expect(await hasher.verify(stored, 'Zoes Passwort ist lang')).toBe('wrong')
  })

  test.each(LIBSODIUM)('of libsodium is accepted, and stale: $made', async ({ password, stored }) => {
    const { hasher } = counting()
    expect(await hasher.verify(stored, password)).toBe('stale')
    expect(await hasher.verify(stored, `${password}.`)).toBe('wrong')
  })

  test('under other parameters is stale', async () => {
    const stored = await createPasswordHasher({ cost: OTHER }).hash('password')
    expect(await counting().hasher.verify(stored, 'password')).toBe('stale')
  })

  test.each([
    ['memory', '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    ['passes', '$argon2id$v=19$m=1024,t=4000000000,p=1$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    ['both', '$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    ['lanes', '$argon2id$v=19$m=65536,t=2,p=255$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    [
      'memory of a few lanes',
      '$argon2id$v=19$m=8,t=2,p=4$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM',
    ],
    ['argon2d', '$argon2d$v=19$m=1024,t=2,p=1$c29tZXNhbHRzb21l$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    ['a long salt', `$argon2id$v=19$m=1024,t=2,p=1$${'c'.repeat(200)}$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM`],
    ['a salt that is cut', '$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHRz1$8iIuixkI73Js3G1uMbezQXD0b8LG4SXGsOwoQkdAQIM'],
    ['bcrypt', '$2b$12$C6UzMDM.H6dfI/f/IKcEe.7QkT3o1rF1bI3wG0H0g8Yj3bYq5uY9S'],
    ['nothing', ''],
    ['a placeholder', 'x'],
  ])('that asks for too much, or is none, costs what a wrong password costs: %s', async (_why, stored) => {
    const { hasher, costOf } = counting()
    const { computed } = await costOf(() => hasher.verifyNobody('password'))
    const found = await costOf(() => hasher.verify(stored, 'password'))
    expect(['unusable', 'wrong']).toContain(found.answer)
    expect(found.computed.filter(cost => cost === '64/1/1')).toEqual(computed)
    expect(found.computed.every(cost => cost === '64/1/1' || cost === '1024/2/1')).toBe(true)
  })
})

describe('failures', () => {
  test('cost the same for nobody, for a wrong password, and for accounts with older parameters', async () => {
    const { hasher, costOf } = counting()
    const present = await hasher.hash('password')
    const older = await createPasswordHasher({ cost: OTHER }).hash('password')
    await hasher.verify(older, 'wrong')
    for (const password of ['wrong', 'wro\u0308ng'.normalize('NFC'), 'wro\u0308ng']) {
      const nobody = await costOf(() => hasher.verifyNobody(password))
      expect(nobody.computed.length).toBe(password === password.normalize('NFC') ? 2 : 4)
      for (const stored of [present, older]) {
        const wrong = await costOf(() => hasher.verify(stored, password))
        expect(wrong).toEqual(nobody)
      }
      expect((await costOf(() => hasher.verify('x', password))).computed).toEqual(nobody.computed)
    }
  })

  test("cost as much as for libsodium's accounts from the first on, where those are expected", async () => {
    const { hasher, costOf } = counting({ legacy: true })
    const { m, t, p } = LIBSODIUM_INTERACTIVE
    expect((await costOf(() => hasher.verifyNobody('wrong'))).computed).toEqual(['64/1/1', `${m}/${t}/${p}`])
  })
})

describe('what is no password', () => {
  const long = 'a'.repeat(1_025)
  test.each([
    ['too long', long],
    ['too long in bytes', 'ö'.repeat(513)],
    ['too long when it is normalised', '\u{1d160}'.repeat(200)],
    ['a megabyte', 'a'.repeat(1_000_000)],
    ['a lone surrogate', 'abc\ud800'],
    ['nothing', ''],
  ])('is never hashed: %s', async (_why, password) => {
    const { hasher, costOf } = counting()
    const stored = await hasher.hash('password')
    expect(await costOf(() => hasher.verify(stored, password))).toEqual({ answer: 'wrong', computed: [] })
    expect(await costOf(() => hasher.verifyNobody(password))).toEqual({ answer: 'wrong', computed: [] })
    await expect(hasher.hash(password)).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test('is told apart from the longest one', async () => {
    const { hasher } = counting()
    const longest = 'a'.repeat(1_024)
    expect(await hasher.verify(await hasher.hash(longest), longest)).toBe('right')
  })
})

describe('the queue', () => {
  test('computes so many at a time, keeps so many, and refuses the rest at once', async () => {
    const { hasher } = counting({ atOnce: 2, mostWaiting: 3 })
    const hashes = Array.from({ length: 10 }, () => hasher.hash('password'))
    expect(hasher.stats()).toEqual({ running: 2, waiting: 3, refused: 5 })
    const settled = await Promise.allSettled(hashes)
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    for (const result of settled)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'overloaded', retryable: true })
    expect(hasher.stats()).toEqual({ running: 0, waiting: 0, refused: 5 })
    expect(await hasher.hash('password')).toMatch(/^\$argon2id/)
  })

  test('goes on after a failure', async () => {
    const { hasher } = counting({ atOnce: 1, cost: { m: 1, t: 0, p: 0 } })
    const failed = await Promise.allSettled([hasher.hash('a'), hasher.hash('b')])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(hasher.stats()).toMatchObject({ running: 0, waiting: 0 })
  })
})
