/** `npm run bench -- auth`: accounts, sessions and factors. */
import { OWASP } from '../src/auth/password-hasher.ts'
import { measureAuthOverHttp, measureCodes } from './auth-http.ts'
import { measureSessions } from './auth-sessions.ts'
import { atLeast, atMost, type Bar, below } from './bars.ts'
import type { Bench } from './bench.ts'

export const auth: Bench = async context => {
  const { server, quick, progress } = context
  const sessions = await measureSessions(server, { quick, progress })
  const { ours, peers, ratio } = await measureAuthOverHttp(context)
  const totp = await measureCodes(context)
  const codes = below(50, totp.fromDueMs.p99, 'ms at 100 a second')
  const bars: Readonly<Record<string, Bar>> = {
    validationHotP50: atMost(20, sessions.hotMicros.p50, 'µs'),
    validationColdP99: below(10, sessions.coldMs.p99, 'ms'),
    // The faster of the two is what it is held against.
    httpSessionToBetterAuth: atLeast(
      5,
      Math.min(ratio.sessionToBetterAuthPostgres, ratio.sessionToBetterAuthRedis),
      'times as many a second at 50 in flight',
    ),
    cycles: atLeast(1_000, sessions.cyclesPerSecond.median, 'durable cycles a second'),
    totpP99: { ...codes, met: codes.met && totp.notTaken === 0 },
    memoryOf10000Sessions: below(150, sessions.memoryMb, 'MB above idle'),
  }
  // Nothing is made cheaper for the bench: both sides hash as they do by default.
  const hashing = { rootstream: { argon2id: OWASP }, betterAuth: { scrypt: { N: 16_384, r: 16, p: 1 } } }
  return { ours: { sessions, http: ours, totp }, peers, ratio, bars, hashing }
}
