/** Codes of authenticator apps at a hundred a second: from when each was due to its answer. */
import { generateSync } from 'otplib'
import { type LoadConnection, openConnection, requestBytes } from './http-load.ts'
import { percentile, rounded } from './measure.ts'

const PER_SECOND = 100
const CONNECTIONS = 20
/** Of the preparations: more hashes at a time would only wait in line. */
const PREPARED_AT_ONCE = 4
/** At the same rate, and not counted. */
const WARM_UP_SECONDS = 1
const STEP_SECONDS = 30
const SAFE_MS = 3_000

/**
 * Each login is of another user, for each code works once: the password was shown before and is not in the time, which is
 * from when the code was due to the answer that has the token of the open session.
 */
export async function totpTimes(
  url: string,
  register: (names: readonly string[]) => Promise<void>,
  password: string,
  seconds: number,
) {
  const names = Array.from({ length: PER_SECOND * (WARM_UP_SECONDS + seconds) }, (_, n) => `totp${n}`)
  await register(names)
  const users = await prepared(url, names, password)
  const free = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(url)))
  const waiting: ((connection: LoadConnection) => void)[] = []
  const begin = performance.now() + 100
  const times = await Promise.all(
    users.map(async ({ token, secret }, n) => {
      const due = begin + (n * 1_000) / PER_SECOND
      await new Promise(resolve => setTimeout(resolve, due - performance.now()))
      const body = { method: 'totp', code: generateSync({ secret }) }
      const headers = { authorization: `Bearer ${token}` }
      const request = requestBytes(url, { method: 'POST', path: '/api/auth/mfa/verify', headers, body })
      const connection = free.pop() ?? (await new Promise<LoadConnection>(resolve => waiting.push(resolve)))
      const { status, body: answer } = await connection.send(request)
      const next = waiting.shift()
      if (next === undefined) free.push(connection)
      else next(connection)
      return { taken: status === 200 && answer.includes('"token"'), ms: performance.now() - due }
    }),
  )
  for (const connection of free) connection.close()
  const counted = times.slice(PER_SECOND * WARM_UP_SECONDS)
  const taken = counted.filter(each => each.taken).map(({ ms }) => ms)
  return {
    perSecond: PER_SECOND,
    fromDueMs: { p50: rounded(percentile(taken, 0.5)), p99: rounded(percentile(taken, 0.99)) },
    notTaken: counted.length - taken.length,
  }
}

/** Users with an app, each with the token of a login that waits for its code. */
async function prepared(url: string, names: readonly string[], password: string) {
  const users: { readonly token: string; readonly secret: string }[] = []
  let next = 0
  const prepare = async () => {
    const connection = await openConnection(url)
    const post = async (path: string, token: string | undefined, body: object) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const answer = await connection.send(requestBytes(url, { method: 'POST', path, headers, body }))
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`)
      return JSON.parse(answer.body) as Record<string, string>
    }
    while (next < names.length) {
      const login = names[next++]
      const { token = '' } = await post('/api/auth/login', undefined, { login, password })
      const { secret = '' } = await post('/api/auth/mfa/totp/enrol', token, { password })
      await farFromNextStep()
      // The code of the step before is taken too, and leaves the one of now for the measurement.
      const code = generateSync({ secret, epoch: Math.floor(Date.now() / 1_000) - STEP_SECONDS })
      await post('/api/auth/mfa/totp/confirm', token, { code })
      const pending = await post('/api/auth/login', undefined, { login, password })
      if (pending['pending'] === undefined) throw new Error(`the login of ${login} asked for no code`)
      users.push({ token: pending['token'] ?? '', secret })
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: PREPARED_AT_ONCE }, prepare))
  return users
}

/** A code of the step before is over when the next one begins, which must not fall between here and the node. */
async function farFromNextStep(): Promise<void> {
  const left = STEP_SECONDS * 1_000 - (Date.now() % (STEP_SECONDS * 1_000))
  if (left < SAFE_MS) await new Promise(resolve => setTimeout(resolve, left))
}
