/** `npm run bench -- auth`: accounts, sessions and factors. */
import { OWASP } from '../src/auth/password-hasher.ts'
import { measureAuthOverHttp, measureCodes } from './auth-http.ts'
import { measureSessions } from './auth-sessions.ts'
import { atLeast, atMost, below } from './bars.ts'
import type { Bench, BenchContext } from './bench.ts'
import { type Part, runParts } from './parts.ts'

// Nothing is made cheaper for the bench: both sides hash as they do by default.
const HASHING = { rootstream: { argon2id: OWASP }, betterAuth: { scrypt: { N: 16_384, r: 16, p: 1 } } }

export const auth: Bench = async context => {
  const parts = {
    sessions: () => sessionsPart(context),
    http: () => httpPart(context),
    totp: () => codesPart(context),
  }
  return { ...(await runParts(parts, context.only)), hashing: HASHING }
}

async function sessionsPart({ server, quick, progress }: BenchContext): Promise<Part> {
  const ours = await measureSessions(server, { quick, progress })
  return {
    ours,
    bars: {
      validationHotP50: atMost(20, ours.hotMicros.p50, 'µs'),
      validationColdP99: below(10, ours.coldMs.p99, 'ms'),
      cycles: atLeast(1_000, ours.cyclesPerSecond.median, 'durable cycles a second'),
      memoryOf10000Sessions: below(150, ours.memoryMb, 'MB above idle'),
    },
  }
}

async function httpPart(context: BenchContext): Promise<Part> {
  const measured = await measureAuthOverHttp(context)
  // The faster of the two is what it is held against.
  const slower = Math.min(measured.ratio.sessionToBetterAuthPostgres, measured.ratio.sessionToBetterAuthRedis)
  return {
    ...measured,
    bars: { httpSessionToBetterAuth: atLeast(5, slower, 'times as many a second at 50 in flight') },
  }
}

async function codesPart(context: BenchContext): Promise<Part> {
  const ours = await measureCodes(context)
  const codes = below(50, ours.fromDueMs.p99, 'ms at 100 a second')
  return { ours, bars: { totpP99: { ...codes, met: codes.met && ours.notTaken === 0 } } }
}
