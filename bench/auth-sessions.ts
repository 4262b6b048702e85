/** Sessions in process: what a validation takes hot and cold, durable cycles of create, validate and revoke, memory of many. */
import { createNode, type RuntimeNode } from '../src/app.ts'
import { median, percentile, rounded } from './measure.ts'
import { reportOf } from './measured-process.ts'
import type { BenchServer } from './server.ts'
import { SILENT } from './silent.ts'

export const CONCURRENT_SESSIONS = 10_000
const USERS = 500
/** Under the limit of a user, so that none is pushed out. */
const OF_EACH = 20
const IN_FLIGHT = 200
const OPENED_AT_ONCE = 50
/** Users of the cold validations that are not counted. */
const WARMED_UP_WITH = 100
const CLIENT = { ipAddress: '203.0.113.7', userAgent: 'Mozilla/5.0 (X11; Linux x86_64) bench', deviceId: 'bench' }

export interface SessionFigures {
  readonly hotMicros: { readonly p50: number; readonly p99: number }
  readonly coldMs: { readonly p50: number; readonly p99: number }
  readonly cyclesPerSecond: { readonly median: number; readonly lowest: number; readonly highest: number }
  /** Above the same node idle: resident, and what of it is in use. */
  readonly memoryMb: number
  readonly heapMb: number
  readonly sessions: number
}

/** Bytes, idle and with all sessions open. */
export interface SessionMemory {
  readonly resident: readonly [idle: number, hot: number]
  readonly heap: readonly [idle: number, hot: number]
}

export async function measureSessions(
  server: BenchServer,
  { quick, progress }: { readonly quick: boolean; progress(text: string): void },
): Promise<SessionFigures> {
  const url = await server.database()
  const rounds = quick ? 3 : 5
  const node = await createNode({ database: url, log: SILENT, name: 'bench' })
  const users = await benchUsers(node, USERS)
  progress('sessions: hot validation')
  const tokens = await open(node, users.slice(0, 50), 1)
  const hot: number[] = []
  // The first pass compiles.
  for (let pass = 0; pass < (quick ? 400 : 2_000); pass++)
    for (const token of tokens) {
      const started = performance.now()
      await valid(node, token)
      if (pass >= 100) hot.push((performance.now() - started) * 1_000)
    }
  const cycles: number[] = []
  for (let round = 0; round <= rounds; round++) {
    progress(`sessions: cycles, ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
    const perSecond = await runCycles(node, users, quick ? 2_000 : 5_000)
    if (round > 0) cycles.push(perSecond)
  }
  await node.close()

  progress('sessions: cold validation')
  const cold = await coldTimes(url, users, quick ? 200 : 1_000)
  progress('sessions: memory')
  const memory: SessionMemory[] = []
  for (let round = 0; round < (quick ? 1 : 3); round++)
    memory.push(await reportOf<SessionMemory>('auth-sessions-memory.ts', await server.database()))
  return {
    hotMicros: { p50: rounded(percentile(hot, 0.5)), p99: rounded(percentile(hot, 0.99)) },
    coldMs: { p50: rounded(percentile(cold, 0.5)), p99: rounded(percentile(cold, 0.99)) },
    cyclesPerSecond: {
      median: rounded(median(cycles)),
      lowest: rounded(Math.min(...cycles)),
      highest: rounded(Math.max(...cycles)),
    },
    memoryMb: rounded(median(memory.map(({ resident: [idle, used] }) => used - idle)) / 2 ** 20),
    heapMb: rounded(median(memory.map(({ heap: [idle, used] }) => used - idle)) / 2 ** 20),
    sessions: CONCURRENT_SESSIONS,
  }
}

/** Without passwords: what hashing one takes is measured apart. */
export async function benchUsers(node: RuntimeNode, count: number, name = 'bench'): Promise<readonly number[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const [username, email] = [`${name}${n}`, `${name}${n}@example.org`]
      const made = await node.create('user', { type: 'user.registered', username, email, passwordHash: 'none' })
      if (!made.ok) throw new Error(`refused: ${made.reason}`)
      return made.actor.id
    }),
  )
}

/** Tokens of so many sessions for each user. */
export async function open(node: RuntimeNode, users: readonly number[], each: number): Promise<readonly string[]> {
  const tokens: string[] = []
  for (let n = 0; n < each; n++)
    tokens.push(...(await Promise.all(users.map(async userId => (await create(node, userId)).token))))
  return tokens
}

async function create(node: RuntimeNode, userId: number) {
  const session = await node.accounts.createSession(userId, CLIENT)
  if (!session.ok) throw new Error(session.detail)
  return session
}

export async function valid(node: RuntimeNode, token: string): Promise<void> {
  const session = await node.accounts.validate(token, CLIENT)
  if (!session.ok) throw new Error(session.detail)
}

/** Each is three durable events: the session, its place among the user's, its end. */
async function runCycles(node: RuntimeNode, users: readonly number[], count: number): Promise<number> {
  const started = performance.now()
  let next = 0
  const worker = async () => {
    while (next < count) {
      const { token, sessionId } = await create(node, users[next++ % users.length] ?? 0)
      await valid(node, token)
      await node.accounts.revokeSession(sessionId, 'bench')
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return count / ((performance.now() - started) / 1_000)
}

/** Each on a node that has never seen the session, and with the first of a user neither the user. */
async function coldTimes(url: string, users: readonly number[], count: number): Promise<readonly number[]> {
  const writer = await createNode({ database: url, log: SILENT, name: 'bench-writer' })
  for (const userId of users) await writer.accounts.endSessions(userId, 'bench')
  const others = await benchUsers(writer, WARMED_UP_WITH, 'warm')
  const [warming, tokens] = [await open(writer, others, 1), await open(writer, users, Math.ceil(count / users.length))]
  await writer.close()
  const times: number[] = []
  const reader = await createNode({ database: url, log: SILENT, name: 'bench-reader' })
  // A node that has just begun opens its connections, compiles, and brings the read tables up to date: once.
  await reader.projections.caughtUp()
  for (const token of warming) await valid(reader, token)
  for (const token of tokens.slice(0, count)) {
    const started = performance.now()
    await valid(reader, token)
    times.push(performance.now() - started)
  }
  await reader.close()
  return times
}

/** As many as `CONCURRENT_SESSIONS`, all open and all validated, as many at a time as clients ask over HTTP. */
export async function openAll(node: RuntimeNode): Promise<void> {
  const users = await benchUsers(node, CONCURRENT_SESSIONS / OF_EACH)
  let next = 0
  const worker = async () => {
    while (next < CONCURRENT_SESSIONS) {
      const { token } = await create(node, users[next++ % users.length] ?? 0)
      await valid(node, token)
    }
  }
  await Promise.all(Array.from({ length: OPENED_AT_ONCE }, worker))
}
