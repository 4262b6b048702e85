/** Postgres falls silent under a node with a journal: what can be merged is taken at once, what was sent is in doubt, and nothing is doubled. */

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'
import { type FaultProxy, openFaultProxy, type Way } from '../support/fault-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { accepted, history, openSession, registerUser, tentative } from './outage-stage.ts'

async function silenceable(): Promise<{ readonly node: RuntimeNode; readonly proxy: FaultProxy }> {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const folder = await temporaryFolder('silence')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const proxy = await openFaultProxy(database.url)
  onTestFinished(() => proxy.close())
  const node = await createNode({
    database: proxy.via(database.url),
    home: path.join(folder, 'home'),
    name: 'a',
    log: silentLogger,
    readPatienceMs: 800,
    // None of what follows comes of it.
    patienceMs: 600_000,
  })
  onTestFinished(() => {
    proxy.heal()
    return node.close()
  })
  return { node, proxy }
}

async function healed({ node, proxy }: { node: RuntimeNode; proxy: FaultProxy }): Promise<void> {
  proxy.heal()
  await eventually(() => expect(node.actors.outage()).toMatchObject({ away: false, pending: 0, stuck: null }))
}

test.for([
  { what: 'and had not got the command', way: 'toServer' },
  { what: 'and has the command in the log', way: 'toClient' },
] as const)('the first command of a silence does not wait for it to end: Postgres is silent $what', async ({ way }) => {
  const { node, proxy } = await silenceable()
  const user = await registerUser(node, 'ada')
  proxy.cut(way satisfies Way)
  const first = tentative(
    await node.actor('user', user).send({ type: 'user.updated', displayName: 'Ada L.' }, { commandId: 'first' }),
  )
  expect(first.basis).toBe(1)
  expect(node.actors.outage()).toMatchObject({ away: true, pending: 1 })
  // Without a command id: only its place tells it.
  tentative(await node.actor('user', user).send({ type: 'user.updated', avatarUrl: 'https://example.org/a' }))
  expect(await node.actor('user', user).state({ maxStaleMs: 0 })).toMatchObject({ tentative: true, version: 1 })
  await healed({ node, proxy })
  const events = await history(node, 'user', user)
  expect(events.map(({ type, version, data }) => ({ type, version, data })).slice(1)).toEqual([
    { type: 'user.updated', version: 2, data: { displayName: 'Ada L.' } },
    { type: 'user.updated', version: 3, data: { avatarUrl: 'https://example.org/a' } },
  ])
  const again = await node
    .actor('user', user)
    .send({ type: 'user.updated', displayName: 'Ada L.' }, { commandId: 'first' })
  expect(accepted(again)).toMatchObject({ repeated: true, event: { version: 2 } })
})

test('many at once on many actors, some of them sent and not answered: each is there once', async () => {
  const { node, proxy } = await silenceable()
  const user = await registerUser(node, 'ada')
  const sessions = await Promise.all(Array.from({ length: 12 }, (_, n) => openSession(node, user, `t${n}`)))
  const touch = (session: number, round: number) =>
    node.actor('session', session).send({ type: 'session.touched', ipAddress: `192.0.2.${round}` })
  proxy.cut('toClient')
  const rounds = [1, 2, 3].map(round => sessions.map(session => touch(session, round)))
  for (const result of await Promise.all(rounds.flat())) tentative(result)
  await healed({ node, proxy })
  for (const session of sessions) {
    const events = await history(node, 'session', session)
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4])
    expect(events.slice(1).map(({ data }) => data.ipAddress)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3'])
  }
})

test('what cannot be merged waits as long as before, and is answered when Postgres is', async () => {
  const { node, proxy } = await silenceable()
  const user = await registerUser(node, 'ada')
  proxy.cut()
  // Of two passwords none may be lost unseen.
  const changed = node.actor('user', user).send({ type: 'user.password.changed', passwordHash: 'other' })
  await eventually(() => expect(node.log.silence?.silent).toBe(true))
  await healed({ node, proxy })
  expect(accepted(await changed).event.version).toBe(2)
})

test('a session with changes of its own is not told active without the log; one that was ended here is told so', async () => {
  const { node, proxy } = await silenceable()
  const user = await registerUser(node, 'ada')
  const session = node.actor('session', await openSession(node, user, 'token'))
  const touch = { type: 'session.touched', ipAddress: '192.0.2.1' }
  proxy.cut()
  tentative(await session.send(touch))
  await expect(session.state()).rejects.toMatchObject({ code: 'log_unavailable', retryable: true })
  tentative(await session.send({ type: 'session.revoked' }))
  expect(await session.state()).toMatchObject({ state: 'revoked', tentative: true })
  await healed({ node, proxy })
  expect(await session.state()).toMatchObject({ state: 'revoked', version: 3 })
})

test('a name that was sent into the silence is in doubt, and a retry settles it', async () => {
  const { node, proxy } = await silenceable()
  const user = node.actor('user', await registerUser(node, 'ada'))
  const rename = { type: 'user.updated', username: 'countess' }
  proxy.cut('toClient')
  await expect(user.send(rename, { commandId: 'rename' })).rejects.toMatchObject({
    code: 'log_unavailable',
    message: expect.not.stringContaining('not taken'),
  })
  await healed({ node, proxy })
  expect(await user.send(rename, { commandId: 'rename' })).toMatchObject({ ok: true, repeated: true })
})
