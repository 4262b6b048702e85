/** Accounts over HTTP beside Better Auth, in one run on one Postgres and one Redis: sessions asked after, logins, and what a wrong one takes. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { startPrivateRedis } from '../tests/sync/private-redis.ts'
import { totpTimes } from './auth-totp.ts'
import type { BenchContext } from './bench.ts'
import { drive, type LoadAnswer, type LoadRequest, openConnection, requestBytes } from './http-load.ts'
import { compare, type Figures, median, percentile, rounded, type Side } from './measure.ts'
import type { AuthQuestion, AuthSideOptions } from './sides/auth-child.ts'

const PASSWORD = 'correct horse battery staple of the bench'
const IN_FLIGHT = 50
const LOGINS_IN_FLIGHT = 8
const SESSIONS = 200
const REGISTERED_AT_ONCE = 8

interface Server {
  readonly name: string
  readonly url: string
  login(name: string, password: string): LoadRequest
  /** The request that asks whose session it is, from the answer to a login. */
  ask(answer: LoadAnswer): LoadRequest
  register(names: readonly string[]): Promise<void>
  cpuMicros(): Promise<number>
  close(): Promise<void>
}

const OURS = 'rootstream'
const POSTGRES = 'betterAuthPostgres'
const REDIS = 'betterAuthRedis'

export async function measureAuthOverHttp({ server, quick, progress }: BenchContext) {
  const redis = await startPrivateRedis()
  const redisUrl = `redis://127.0.0.1:${redis.port}`
  const ours = await startOurs({ database: await server.database(), redis: redisUrl, sessionsInRedis: false })
  const servers = [
    ours,
    await startBetterAuth(POSTGRES, {
      database: await server.emptyDatabase(),
      redis: redisUrl,
      sessionsInRedis: false,
    }),
    await startBetterAuth(REDIS, { database: await server.emptyDatabase(), redis: redisUrl, sessionsInRedis: true }),
  ]
  const names = Array.from({ length: quick ? 40 : SESSIONS }, (_, n) => `bench${n}`)
  try {
    progress('opening accounts')
    for (const { register } of servers) await register(names)
    const rounds = quick ? 3 : 7
    const options = { rounds, postmaster: server.pid, progress }

    const asking: Side[] = []
    for (const each of servers) asking.push(await sessionSide(each, names, quick ? 3_000 : 20_000))
    const asked = await compare(asking, options)
    const logins = servers.map(each => loginSide(each, names, quick ? 24 : 200))
    const loggedIn = await compare(logins, options)

    const wrong: Record<string, object> = {}
    for (const each of servers) {
      progress(`wrong logins: ${each.name}`)
      wrong[each.name] = await wrongLogins(each, names, quick ? 20 : 100)
    }
    const of = (figures: ReadonlyMap<string, Figures>, name: string) => figures.get(name)
    const shown = (name: string) => ({
      sessionAt50InFlight: of(asked.figures, name),
      loginsAt8InFlight: of(loggedIn.figures, name),
      wrongLoginMs: wrong[name],
    })
    return {
      ours: shown(OURS),
      peers: { [POSTGRES]: shown(POSTGRES), [REDIS]: shown(REDIS) },
      ratio: {
        sessionToBetterAuthPostgres: asked.ratio(OURS, POSTGRES),
        sessionToBetterAuthRedis: asked.ratio(OURS, REDIS),
        loginToBetterAuthPostgres: loggedIn.ratio(OURS, POSTGRES),
      },
    }
  } finally {
    for (const { close } of servers) await close()
    await redis.stop()
  }
}

/** On a node of its own, when the peers are gone: it is held against a time, not against them. */
export async function measureCodes({ server, quick, progress }: BenchContext) {
  const redis = await startPrivateRedis()
  const redisUrl = `redis://127.0.0.1:${redis.port}`
  const ours = await startOurs({ database: await server.database(), redis: redisUrl, sessionsInRedis: false })
  try {
    progress('codes of authenticator apps')
    return await totpTimes(
      ours.url,
      ours.register,
      PASSWORD,
      quick ? { seconds: 2, rounds: 1 } : { seconds: 10, rounds: 3 },
    )
  } finally {
    await ours.close()
    await redis.stop()
  }
}

async function startChild(module: string, options: AuthSideOptions) {
  const child = fork(path.join(import.meta.dirname, 'sides/auth-child.ts'), [module, JSON.stringify(options)])
  const gone = once(child, 'exit').then(([code]): never => {
    throw new Error(`${module} ended with ${code}`)
  })
  gone.catch(() => {})
  const answered = async () => (await Promise.race([once(child, 'message'), gone]))[0] as Record<string, unknown>
  const { url } = await answered()
  const ask = async (question: AuthQuestion) => {
    child.send(question)
    return answered()
  }
  return {
    url: String(url),
    // A few at a time: the side hashes all it is given at once.
    register: async (names: readonly string[]) => {
      for (let n = 0; n < names.length; n += REGISTERED_AT_ONCE)
        await ask({ ask: 'register', names: names.slice(n, n + REGISTERED_AT_ONCE), password: PASSWORD })
    },
    cpuMicros: async () => Number((await ask({ ask: 'cpu' }))['cpuMicros']),
    close: async () => {
      const ended = once(child, 'exit')
      child.send({ ask: 'close' } satisfies AuthQuestion)
      await ended
    },
  }
}

async function startOurs(options: AuthSideOptions): Promise<Server> {
  return {
    name: OURS,
    ...(await startChild('auth-ours.ts', options)),
    login: (login, password) => ({ method: 'POST', path: '/api/auth/login', body: { login, password } }),
    ask: ({ body }) => {
      const { token } = JSON.parse(body) as { token: string }
      return { method: 'GET', path: '/api/auth/verify', headers: { authorization: `Bearer ${token}` } }
    },
  }
}

async function startBetterAuth(name: string, options: AuthSideOptions): Promise<Server> {
  return {
    name,
    ...(await startChild('auth-better.ts', options)),
    login: (login, password) => ({
      method: 'POST',
      path: '/api/auth/sign-in/email',
      body: { email: `${login}@example.org`, password },
    }),
    ask: ({ head }) => {
      const cookie = /\r\nset-cookie: *([^;\r]+)/i.exec(head)?.[1] ?? ''
      return { method: 'GET', path: '/api/auth/get-session', headers: { cookie } }
    },
  }
}

/** Sessions of many users, asked after in turn. */
async function sessionSide(server: Server, names: readonly string[], count: number): Promise<Side> {
  const connection = await openConnection(server.url)
  const requests: Buffer[] = []
  for (const name of names) {
    const answer = await connection.send(requestBytes(server.url, server.login(name, PASSWORD)))
    if (answer.status !== 200) throw new Error(`${server.name} login: ${answer.status} ${answer.body.slice(0, 300)}`)
    requests.push(requestBytes(server.url, server.ask(answer)))
  }
  const probe = await connection.send(requests[0] as Buffer)
  if (!probe.body.includes('bench0')) throw new Error(`${server.name} does not know the session`)
  connection.close()
  return timedSide(server, requests, IN_FLIGHT, count)
}

function loginSide(server: Server, names: readonly string[], count: number): Side {
  const requests = names.map(name => requestBytes(server.url, server.login(name, PASSWORD)))
  return timedSide(server, requests, LOGINS_IN_FLIGHT, count)
}

/** Connections are opened for each run: servers close idle ones. The CPU that counts is the server's. */
function timedSide(
  { name, url, cpuMicros }: Server,
  requests: readonly Buffer[],
  inFlight: number,
  count: number,
): Side {
  return {
    name,
    run: async beginMeasuring => {
      const connections = await Promise.all(Array.from({ length: inFlight }, () => openConnection(url)))
      const before = await cpuMicros()
      beginMeasuring()
      const started = performance.now()
      await drive(connections, requests, count, 200)
      const seconds = (performance.now() - started) / 1_000
      for (const connection of connections) connection.close()
      return { operations: count, seconds, cpuMicros: (await cpuMicros()) - before }
    },
  }
}

/**
 * An unknown user and a wrong password, by turns, one at a time. Each name and each address of a client comes up only a
 * few times, so that no limit on attempts is met; what is refused by one all the same is counted apart.
 */
async function wrongLogins(server: Server, names: readonly string[], count: number) {
  const times: Record<'unknownUser' | 'wrongPassword', number[]> = { unknownUser: [], wrongPassword: [] }
  let limited = 0
  for (let n = 0; n < count + 5; n++) {
    const connection = await openConnection(server.url, `127.0.1.${1 + (n % 250)}`)
    for (const [kind, name] of [
      ['unknownUser', `nobody${n}`],
      ['wrongPassword', names[n % names.length] ?? ''],
    ] as const) {
      const request = requestBytes(server.url, server.login(name, `${PASSWORD} not`))
      const started = performance.now()
      const { status } = await connection.send(request)
      const took = performance.now() - started
      if (status !== 401) limited++
      // The first ones compile.
      else if (n >= 5) times[kind].push(took)
    }
    connection.close()
  }
  const spread = (values: readonly number[]) => ({
    p10: rounded(percentile(values, 0.1)),
    median: rounded(median(values)),
    p90: rounded(percentile(values, 0.9)),
  })
  return {
    unknownUser: spread(times.unknownUser),
    wrongPassword: spread(times.wrongPassword),
    medianDifference: rounded(median(times.wrongPassword) - median(times.unknownUser)),
    limited,
  }
}
