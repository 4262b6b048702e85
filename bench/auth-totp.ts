/** Codes of authenticator apps at a hundred a second: from when each was due to its answer. */
import { generateSync } from 'otplib'
import { type LoadConnection, openConnection, requestBytes } from './http-load.ts'
import { median, percentile, rounded } from './measure.ts'

const PER_SECOND = 100
const CONNECTIONS = 20
/** Of the preparations: more hashes at a time would only wait in line. */
const PREPARED_AT_ONCE = 4
/** At the same rate, and not counted. */
const WARM_UP_SECONDS = 1
const STEP_SECONDS = 30
const SAFE_MS = 3_000

interface AppUser {
  readonly login: string
  readonly secret: string
}

export interface CodeTimes {
  readonly perSecond: number
  /** Medians over the rounds, and how far the rounds are apart. */
  readonly fromDueMs: {
    readonly p50: number
    readonly p99: number
    readonly p99Lowest: number
    readonly p99Highest: number
  }
  /** In all rounds. */
  readonly notTaken: number
  readonly rounds: number
}

/**
 * Each login of a round is of another user, for each code works once: the password was shown before and is not in the time,
 * which is from when the code was due to the answer that has the token of the open session.
 */
export async function totpTimes(
  url: string,
  register: (names: readonly string[]) => Promise<void>,
  password: string,
  { seconds, rounds: count }: { readonly seconds: number; readonly rounds: number },
): Promise<CodeTimes> {
  const names = Array.from({ length: PER_SECOND * (WARM_UP_SECONDS + seconds) }, (_, n) => `totp${n}`)
  await register(names)
  const users = await enrolled(url, names, password)
  const rounds: { readonly p50: number; readonly p99: number; readonly notTaken: number }[] = []
  let begun = Number.NEGATIVE_INFINITY
  for (let round = 0; round < count; round++) {
    const tokens = await pendingLogins(url, users, password)
    // The step of a code that was taken is over for its user.
    await new Promise(resolve => setTimeout(resolve, Math.max(0, begun + STEP_SECONDS * 1_000 - performance.now())))
    begun = performance.now()
    rounds.push(await shownAtRate(url, users, tokens))
  }
  const tails = rounds.map(({ p99 }) => p99)
  return {
    perSecond: PER_SECOND,
    fromDueMs: {
      p50: rounded(median(rounds.map(({ p50 }) => p50))),
      p99: rounded(median(tails)),
      p99Lowest: rounded(Math.min(...tails)),
      p99Highest: rounded(Math.max(...tails)),
    },
    notTaken: rounds.reduce((sum, { notTaken }) => sum + notTaken, 0),
    rounds: count,
  }
}

async function shownAtRate(url: string, users: readonly AppUser[], tokens: readonly string[]) {
  const free = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(url)))
  const waiting: ((connection: LoadConnection) => void)[] = []
  const begin = performance.now() + 100
  const times = await Promise.all(
    users.map(async ({ secret }, n) => {
      const due = begin + (n * 1_000) / PER_SECOND
      await new Promise(resolve => setTimeout(resolve, due - performance.now()))
      const body = { method: 'totp', code: generateSync({ secret }) }
      const headers = { authorization: `Bearer ${tokens[n]}` }
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
  return { p50: percentile(taken, 0.5), p99: percentile(taken, 0.99), notTaken: counted.length - taken.length }
}

type Post = (path: string, token: string | undefined, body: object) => Promise<Record<string, string>>

/** What the work gives for each of the items, a few at a time, each of these on a connection of its own. */
async function overConnections<Item, Result>(
  url: string,
  items: readonly Item[],
  work: (post: Post, item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  let next = 0
  const one = async () => {
    const connection = await openConnection(url)
    const post: Post = async (path, token, body) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const answer = await connection.send(requestBytes(url, { method: 'POST', path, headers, body }))
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`)
      return JSON.parse(answer.body) as Record<string, string>
    }
    while (next < items.length) {
      const index = next++
      results[index] = await work(post, items[index] as Item)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: PREPARED_AT_ONCE }, one))
  return results
}

/** Users with an app. */
function enrolled(url: string, names: readonly string[], password: string): Promise<readonly AppUser[]> {
  return overConnections(url, names, async (post, login) => {
    const { token = '' } = await post('/api/auth/login', undefined, { login, password })
    const { secret = '' } = await post('/api/auth/mfa/totp/enrol', token, { password })
    await farFromNextStep()
    // The code of the step before is taken too, and leaves the one of now for the measurement.
    const code = generateSync({ secret, epoch: Math.floor(Date.now() / 1_000) - STEP_SECONDS })
    await post('/api/auth/mfa/totp/confirm', token, { code })
    return { login, secret }
  })
}

/** For each the token of a login that waits for its code. */
function pendingLogins(url: string, users: readonly AppUser[], password: string): Promise<readonly string[]> {
  return overConnections(url, users, async (post, { login }) => {
    const { token = '', pending } = await post('/api/auth/login', undefined, { login, password })
    if (pending === undefined) throw new Error(`the login of ${login} asked for no code`)
    return token
  })
}

/** A code of the step before is over when the next one begins, which must not fall between here and the node. */
async function farFromNextStep(): Promise<void> {
  const left = STEP_SECONDS * 1_000 - (Date.now() % (STEP_SECONDS * 1_000))
  if (left < SAFE_MS) await new Promise(resolve => setTimeout(resolve, left))
}
