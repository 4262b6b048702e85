/** Brute force over two nodes with one Redis: two hundred guesses at once are five, and right passwords are not counted. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { redisCli } from '../support/redis-cli.ts'
import { eventually } from '../sync/eventually.ts'
import { type PrivateRedis, startPrivateRedis } from '../sync/private-redis.ts'

const password = 'correct horse battery staple'

let redis: PrivateRedis
let database: TestDatabase
let nodes: readonly RuntimeNode[]
beforeAll(async () => {
  ;[redis, database] = await Promise.all([startPrivateRedis(), createTestDatabase()])
  const options = { database: database.url, redis: `redis://127.0.0.1:${redis.port}`, log: silentLogger }
  nodes = await Promise.all(['a', 'b'].map(name => createNode({ ...options, name })))
  await eventually(async () =>
    expect((await redisCli(redis.port, 'client', 'list')).match(/name=rootstream:[ab]:counters/g)).toHaveLength(2),
  )
})
afterAll(async () => {
  await Promise.all(nodes.map(node => node.close()))
  await database.drop()
  await redis.stop()
})

const node = (n: number) => nodes[n % nodes.length] as RuntimeNode

async function tried(login: string, client: (n: number) => object) {
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => node(n).accounts.login({ login, password: `guess number ${n}` }, client(n))),
  )
  const reasons = answers.map(answer => (answer.ok ? 'ok' : answer.reason))
  return Object.fromEntries(
    ['ok', 'invalid_credentials', 'too_many_attempts'].map(reason => [
      reason,
      reasons.filter(found => found === reason).length,
    ]),
  )
}

test('two hundred guesses at once on two nodes from as many addresses are five, for an account and for nobody', async () => {
  const registered = await node(0).accounts.register({ username: 'ada', email: 'ada@example.org', password })
  expect(registered.ok).toBe(true)
  const elsewhere = (n: number) => ({ ipAddress: `198.51.100.${n + 1}` })
  const five = { ok: 0, invalid_credentials: 5, too_many_attempts: 195 }
  expect(await tried('ada', elsewhere)).toEqual(five)
  expect(await tried('nobody', elsewhere)).toEqual(five)
  for (const n of [0, 1])
    expect(await node(n).accounts.login({ login: 'ada', password }, elsewhere(200))).toMatchObject({
      reason: 'too_many_attempts',
    })
})

test('of fifty right passwords at once on two nodes none is refused, from as many addresses or from one', async () => {
  await node(0).accounts.register({ username: 'joe', email: 'joe@example.org', password })
  for (const from of [(n: number) => ({ ipAddress: `198.51.100.${n + 1}` }), () => ({ ipAddress: '198.51.100.250' })]) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => node(n).accounts.login({ login: 'joe', password }, from(n))),
    )
    expect(answers.filter(({ ok }) => !ok)).toEqual([])
  }
})

test('a place that one node noted is known to the other', async () => {
  await node(0).accounts.register({ username: 'eve', email: 'eve@example.org', password })
  const home = { ipAddress: '192.0.2.1' }
  expect(await node(0).accounts.login({ login: 'eve', password }, home)).toMatchObject({ ok: true })
  await tried('eve', n => ({ ipAddress: `203.0.113.${n + 1}` }))
  expect(await node(1).accounts.login({ login: 'eve', password }, { ipAddress: '203.0.113.250' })).toMatchObject({
    reason: 'too_many_attempts',
  })
  expect(await node(1).accounts.login({ login: 'eve', password }, home)).toMatchObject({ ok: true })
})

test('neither names nor addresses stand in Redis', async () => {
  const keys = await redisCli(redis.port, 'keys', '*')
  expect(keys).toContain('login.account')
  for (const told of ['ada', 'eve', 'nobody', 'example.org']) expect(keys).not.toContain(`:${told}`)
  for (const told of ['198.51.100', '203.0.113', '192.0.2']) expect(keys).not.toContain(told)
})
