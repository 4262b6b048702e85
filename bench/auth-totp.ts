/** Codes of authenticator apps at a hundred a second: from when each was due to its answer. */
import { generateSync } from 'otplib'
import { type LoadConnection, openConnection, requestBytes } from './http-load.ts'
import { percentile, rounded } from './measure.ts'

const PER_SECOND = 100
const CONNECTIONS = 20
const STEP_SECONDS = 30

/** Null where the node has no such route. Each code works once, so each is of another user. */
export async function totpTimes(
  url: string,
  register: (names: readonly string[]) => Promise<void>,
  password: string,
  seconds: number,
) {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
  if (!('/api/auth/mfa/verify' in paths)) return null
  const names = Array.from({ length: PER_SECOND * seconds }, (_, n) => `totp${n}`)
  await register(names)
  const setup = await openConnection(url)
  const post = async (path: string, token: string | undefined, body: object) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await setup.send(requestBytes(url, { method: 'POST', path, headers, body }))
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`)
    return JSON.parse(answer.body) as Record<string, string>
  }
  const users: { readonly token: string; readonly secret: string }[] = []
  for (const name of names) {
    const { token = '' } = await post('/api/auth/login', undefined, { login: name, password })
    const { secret = '' } = await post('/api/auth/mfa/totp/enrol', token, { password })
    // The code of the step before is taken too, and leaves the one of now for the measurement.
    const code = generateSync({ secret, epoch: Math.floor(Date.now() / 1_000) - STEP_SECONDS })
    const confirmed = await post('/api/auth/mfa/totp/confirm', token, { code })
    users.push({ token: confirmed['token'] ?? token, secret })
  }
  setup.close()
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
      const { status } = await connection.send(request)
      const next = waiting.shift()
      if (next === undefined) free.push(connection)
      else next(connection)
      return { status, ms: performance.now() - due }
    }),
  )
  for (const connection of free) connection.close()
  const taken = times.filter(({ status }) => status === 200).map(({ ms }) => ms)
  return {
    perSecond: PER_SECOND,
    fromDueMs: { p50: rounded(percentile(taken, 0.5)), p99: rounded(percentile(taken, 0.99)) },
    notTaken: times.length - taken.length,
  }
}
