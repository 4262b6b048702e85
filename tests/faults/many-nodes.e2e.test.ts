/** Several real nodes on one Postgres and one Redis, with links that break: they end alike, and as the log says. */
import { rm } from 'node:fs/promises'
import pg from 'pg'
import { expect, type TestContext, test, vi } from 'vitest'
import { openSse } from '../http/sse-client.ts'
import type { HttpClient } from '../support/http-client.ts'
import { eventually } from '../sync/eventually.ts'
import { type Commands, createCommands } from './commands.ts'
import { expectNothingLostOrDoubled } from './invariants.ts'
import { acceptedTooLate, type Read, type Revoked } from './session-history.ts'
import { connected, type ServedProcess, type SeveralProcesses, severalProcesses, TOKEN } from './several-processes.ts'
import { runWorkload } from './workload.ts'

const SMALL = { households: 3, viewers: 20 }

interface Scene extends SeveralProcesses {
  readonly nodes: readonly [ServedProcess, ServedProcess, ServedProcess]
}

async function threeNodes(context: TestContext): Promise<Scene> {
  const several = await severalProcesses(context)
  const nodes = await Promise.all([
    several.start({ name: 'a' }),
    several.start({ name: 'b' }),
    several.start({ name: 'c' }),
  ])
  await connected(...nodes)
  // Not spread: `redis` is another one after a restart.
  return Object.assign(several, { nodes })
}

/** Commands that go to the nodes in turn, whichever they are by then. */
function inTurn(nodes: () => readonly ServedProcess[]): Commands {
  let turn = 0
  return createCommands(() => nodes()[turn++ % nodes().length]?.client as HttpClient)
}

/** Each node shows of each actor what the log leads to; the read tables are what a rebuild makes. */
async function expectAllAlike({ database }: SeveralProcesses, nodes: readonly ServedProcess[], commands: Commands) {
  for (const { client } of nodes) await expectNothingLostOrDoubled({ url: database.url, client, commands })
}

async function aStream(commands: Commands, name: string): Promise<number> {
  const user = await commands.send(
    '/v1/actors/user',
    { type: 'user.registered', username: name, email: `${name}@example.org`, passwordHash: 'x' },
    `${name}:user`,
  )
  if (!user.taken) throw new Error(user.code)
  const stream = await commands.send(
    '/v1/actors/stream',
    { type: 'stream.created', userId: user.id, name, streamKey: `${name}:key` },
    `${name}:stream`,
  )
  if (!stream.taken) throw new Error(stream.code)
  return stream.id
}

async function versionOn({ client }: ServedProcess, address: string): Promise<unknown> {
  return ((await client.request('GET', `/v1/actors/${address}`)).body as { version?: unknown }).version
}

test.concurrent('what one takes, the others show and stream; commands for one stream on two nodes lose nothing', async context => {
  const scene = await threeNodes(context)
  const [a, b, c] = scene.nodes
  const commands = inTurn(() => [a, b])
  const id = await aStream(commands, 'shared')
  const streams = await Promise.all(
    [b, c].map(({ process }) => openSse(`${process.url}/v1/events/stream?topic=stream.renamed`, TOKEN)),
  )
  context.onTestFinished(() => {
    for (const stream of streams) stream.close()
  })
  const path = `/v1/actors/stream/${id}/commands`
  await commands.send(path, { type: 'stream.renamed', name: 'on a' }, 'rename')
  for (const stream of streams) expect(await stream.take(1)).toMatchObject([{ data: { actor: `stream/${id}` } }])
  for (const node of scene.nodes) expect(await versionOn(node, `stream/${id}`)).toBe(2)

  await Promise.all(
    Array.from({ length: 50 }, (_, n) => commands.send(path, { type: 'stream.renamed', name: `n${n}` }, `n${n}`)),
  )
  for (const node of scene.nodes) expect(await versionOn(node, `stream/${id}`)).toBe(52)
  for (const stream of streams)
    expect((await stream.take(50)).map(({ data }) => data.version)).toEqual(Array.from({ length: 50 }, (_, n) => n + 3))
  await expectAllAlike(scene, scene.nodes, commands)
})

test.concurrent.for(['actor.committed', 'actor.announced'])(
  'a node killed at %s, after the commit and before its frame has left: the others learn of it from the log',
  async (point, context) => {
    const several = await severalProcesses(context)
    const bystanders = await Promise.all([several.start({ name: 'b' }), several.start({ name: 'c' })])
    const [b] = bystanders
    await connected(...bystanders)
    const before = createCommands(() => b.client)
    const id = await aStream(before, 'orphan')
    const stream = await openSse(`${b.process.url}/v1/events/stream?topic=stream.renamed`, TOKEN)
    context.onTestFinished(() => stream.close())
    const a = await several.start({ name: 'a', fault: `${point}@1` })
    const path = `/v1/actors/stream/${id}/commands`
    const event = { type: 'stream.renamed', name: 'the last word' }
    const broken = a.client.request('POST', path, { body: event, headers: { 'idempotency-key': 'last' } })
    await expect(broken).rejects.toThrow()
    expect(await a.process.ended).toMatchObject({ signal: 'SIGKILL' })
    // By its look at the log, a second apart.
    expect(await stream.take(1)).toMatchObject([{ data: { actor: `stream/${id}`, version: 2 } }])
    expect(await versionOn(b, `stream/${id}`)).toBe(2)
    // The same key to another node: the event that is there.
    expect(await before.send(path, event, 'last')).toMatchObject({ taken: true, version: 2, repeated: true })
    await expectAllAlike(several, bystanders, before)
  },
)

test.concurrent('Redis is restarted under load: commands go on, and the nodes hear each other again', async context => {
  const scene = await threeNodes(context)
  const commands = inTurn(() => scene.nodes)
  await Promise.all([
    runWorkload(commands, SMALL),
    (async () => {
      for (const count of [30, 60]) {
        await commands.settled(count)
        await scene.restartRedis()
      }
    })(),
  ])
  expect(commands.retried.size).toBe(0)
  await connected(...scene.nodes)
  await expectAllAlike(scene, scene.nodes, commands)
})

test.concurrent('Redis falls silent for one node, without a word: it notices, and misses nothing', async context => {
  const scene = await threeNodes(context)
  const [a, b] = scene.nodes
  const commands = inTurn(() => scene.nodes)
  const id = await aStream(commands, 'silent')
  const stream = await openSse(`${b.process.url}/v1/events/stream?topic=stream.renamed`, TOKEN)
  context.onTestFinished(() => stream.close())
  b.toRedis.cut('toClient')
  await Promise.all([
    runWorkload(commands, SMALL),
    eventually(async () => expect(await b.component('bus')).toMatchObject({ status: 'degraded' })),
  ])
  const path = `/v1/actors/stream/${id}/commands`
  await a.client.command(path, { type: 'stream.renamed', name: 'unheard' }, { key: 'unheard' })
  const told = await commands.send(path, { type: 'stream.renamed', name: 'unheard' }, 'unheard')
  expect(told).toMatchObject({ taken: true, version: 2, repeated: true })
  const toldOnB = async () => (await stream.take(1))[0]?.data.actor
  while ((await toldOnB()) !== `stream/${id}`);
  expect(await versionOn(b, `stream/${id}`)).toBe(2)
  b.toRedis.heal()
  await connected(...scene.nodes)
  await expectAllAlike(scene, scene.nodes, commands)
})

test.concurrent('Redis is slow, narrow and breaks off for one node: a late frame changes nothing', async context => {
  const scene = await threeNodes(context)
  const [, b] = scene.nodes
  b.toRedis.delay(50, 200)
  b.toRedis.throttle(200_000)
  const commands = inTurn(() => scene.nodes)
  await Promise.all([
    runWorkload(commands, SMALL),
    (async () => {
      for (const count of [20, 40, 60]) {
        await commands.settled(count)
        b.toRedis.reset()
      }
    })(),
  ])
  b.toRedis.heal()
  await connected(...scene.nodes)
  await expectAllAlike(scene, scene.nodes, commands)
})

test.concurrent('Postgres is cut off from one node: it says so and what it is sent may be sent again; the others go on', async context => {
  const scene = await threeNodes(context)
  const [a, b, c] = scene.nodes
  let among: readonly ServedProcess[] = scene.nodes
  const commands = inTurn(() => among)
  await runWorkload(commands, SMALL)
  among = [a, c]
  b.toPostgres.cut()
  await eventually(async () => expect(await b.component('log')).toMatchObject({ status: 'down' }))
  const id = await aStream(commands, 'meanwhile')
  const path = `/v1/actors/stream/${id}/commands`
  const event = { type: 'stream.renamed', name: 'cut off' }
  const refused = await b.client.request('POST', path, { body: event, headers: { 'idempotency-key': 'cut-off' } })
  expect(refused).toMatchObject({ status: 503, body: { code: 'log_unavailable', retryable: true } })
  await commands.send(path, { type: 'stream.renamed', name: 'meanwhile' }, 'meanwhile:renamed')
  expect(commands.retried.size).toBe(0)
  b.toPostgres.heal()
  await eventually(async () => expect(await b.component('log')).toMatchObject({ status: 'ok' }))
  among = [b]
  expect(await commands.send(path, event, 'cut-off')).toMatchObject({ taken: true, version: 3 })
  for (const node of scene.nodes) expect(await versionOn(node, `stream/${id}`)).toBe(3)
  await expectAllAlike(scene, scene.nodes, commands)
})

test.concurrent('clocks that are minutes apart, ahead and behind: nothing is lost, and all see the same', async context => {
  const several = await severalProcesses(context)
  const minute = 60_000
  const nodes = await Promise.all([
    several.start({ name: 'behind', clockSkewMs: -7 * minute }),
    several.start({ name: 'right' }),
    several.start({ name: 'ahead', clockSkewMs: 5 * minute }),
  ])
  await connected(...nodes)
  const commands = inTurn(() => nodes)
  const id = await aStream(commands, 'skewed')
  for (let n = 0; n < 6; n++)
    await commands.send(`/v1/actors/stream/${id}/commands`, { type: 'stream.renamed', name: `n${n}` }, `n${n}`)
  const reader = new pg.Client({ connectionString: several.database.url })
  await reader.connect()
  context.onTestFinished(() => reader.end())
  // The clocks were indeed apart, and the history of an actor goes forward all the same.
  const { rows } = await reader.query<{ apart: number; backward: number }>(
    `select (extract(epoch from max(at) - min(at)) / 60)::int as apart, count(*) filter (where at < before)::int as backward
     from (select at, lag(at) over (partition by actor_type, actor_id order by version) as before from events) e`,
  )
  expect(rows).toEqual([{ apart: 12, backward: 0 }])
  for (const node of nodes) expect(await versionOn(node, `stream/${id}`)).toBe(7)
  await expectAllAlike(several, nodes, commands)
})

test.concurrent('a node comes back without its disk, and two nodes have one name: each start is one of its own', async context => {
  const scene = await threeNodes(context)
  const [a, b, c] = scene.nodes
  let among: readonly ServedProcess[] = [a, b]
  const commands = inTurn(() => among)
  await runWorkload(commands, { ...SMALL, name: 'before' })
  await c.process.kill()
  await rm(c.home, { recursive: true, force: true })
  const [back, twin] = [await scene.start({ name: 'c' }), await scene.start({ name: 'c' })]
  await connected(a, b, back, twin)
  const incarnations = [c, back, twin].map(({ process }) => process.ready.incarnation)
  expect(new Set(incarnations).size).toBe(3)
  among = [back, twin, a]
  await runWorkload(commands, { ...SMALL, name: 'after' })
  await expectAllAlike(scene, [a, b, back, twin], commands)
})

test.concurrent('a session revoked on one node is never reported active by another, whatever is wrong with its links', async context => {
  const scene = await threeNodes(context)
  const [a, b] = scene.nodes
  const commands = createCommands(() => a.client)
  const user = await commands.send(
    '/v1/actors/user',
    { type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x' },
    'ada',
  )
  if (!user.taken) throw new Error(user.code)
  const sessions = await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const made = await commands.send(
        '/v1/actors/session',
        { type: 'session.created', userId: user.id, tokenHash: `t${n}`, expiresAt: '2099-01-01T00:00:00Z' },
        `s${n}`,
      )
      if (!made.taken) throw new Error(made.code)
      return made.id
    }),
  )
  const revoked: Revoked[] = []
  const reads: Read[] = []
  let watching = true
  let unanswered = 0
  const watch = async () => {
    for (let n = 0; watching; n++) {
      const session = sessions[n % sessions.length] as number
      const sentAt = performance.now()
      const { status, body } = await b.client.request('GET', `/v1/actors/session/${session}`)
      if (status === 200) reads.push({ session, sentAt, active: (body as { state: string }).state === 'active' })
      else unanswered++
    }
  }
  const revoke = async (some: readonly number[]) => {
    for (const session of some) {
      await commands.send(`/v1/actors/session/${session}/commands`, { type: 'session.revoked' }, `r${session}`)
      revoked.push({ session, acknowledgedAt: performance.now() })
    }
  }
  const readAgain = (count: number) => {
    const from = reads.length
    return eventually(() => expect(reads.length - from).toBeGreaterThanOrEqual(count))
  }
  const watchers = Promise.all([watch(), watch(), watch(), watch()])
  await readAgain(60)
  await revoke(sessions.slice(0, 10))
  await readAgain(60)
  b.toRedis.cut()
  await revoke(sessions.slice(10, 20))
  await readAgain(60)
  b.toPostgres.cut()
  await revoke(sessions.slice(20))
  // A read that waits for Postgres is given up after a while, and no old state is told instead.
  await vi.waitFor(() => expect(unanswered).toBeGreaterThan(0), { timeout: 90_000 })
  b.toPostgres.heal()
  b.toRedis.heal()
  await eventually(async () => expect(await b.component('log')).toMatchObject({ status: 'ok' }))
  await readAgain(60)
  watching = false
  await watchers
  // A state is read from the log, so there is nothing to wait for.
  expect(acceptedTooLate({ revoked, reads }, 0)).toEqual([])
  for (const active of [true, false]) expect(reads.some(read => read.active === active)).toBe(true)
})
