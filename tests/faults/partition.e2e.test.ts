/** Postgres is cut off from one of several nodes, in silence: both sides go on, and in the end all say the same. */
import { expect, test } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import { createCommands } from './commands.ts'
import { aStream, aUser, expectAllAlike, inTurn, SMALL, threeNodes, versionOn } from './many-nodes.ts'
import { breaches, unproven } from './session-history.ts'
import type { ServedProcess } from './several-processes.ts'
import { watchSessions } from './watched-sessions.ts'
import { runWorkload } from './workload.ts'

/** How long the node is cut off; `npm run test:faults:long` makes it a minute. */
const PARTITION_MS = Number(process.env.ROOTSTREAM_TEST_PARTITION_MS ?? 8_000)
const ROUNDS = 8

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

test.concurrent('viewers, profiles and sessions go on on both sides of the cut; no revoked session is accepted by anybody', async context => {
  const scene = await threeNodes(context)
  const { nodes } = scene
  const [a, b, c] = nodes
  let asked = a
  const commands = createCommands(() => asked.client)
  const user = await aUser(commands, 'ada')
  const stream = await aStream(commands, 'shared', user)
  const toStream = `/v1/actors/stream/${stream}/commands`
  await commands.send(toStream, { type: 'stream.started' }, 'start')
  const told = new Map<ServedProcess, { viewers: number; bytesSent: number }>(
    nodes.map(node => [node, { viewers: 0, bytesSent: 0 }]),
  )
  const tell = async (node: ServedProcess, viewers: number) => {
    const body = { set: { viewers }, add: { bytesSent: 100 } }
    expect(await node.client.request('POST', `/v1/live/stream/${stream}`, { body })).toMatchObject({ status: 200 })
    told.set(node, { viewers, bytesSent: (told.get(node)?.bytesSent ?? 0) + 100 })
  }
  const sum = (of: 'viewers' | 'bytesSent') => [...told.values()].reduce((before, figures) => before + figures[of], 0)
  const expectFiguresOn = (some: readonly ServedProcess[]) =>
    eventually(async () => {
      for (const { client } of some)
        expect((await client.request('GET', `/v1/live/stream/${stream}`)).body).toMatchObject({
          values: { viewers: sum('viewers'), bytesSent: sum('bytesSent') },
        })
    })
  for (const node of nodes) await tell(node, 1)
  await versionOn(b, `user/${user}`)

  const sessions = await watchSessions(nodes, commands, user, 5 * ROUNDS)
  const group = (n: number) => sessions.ids.slice(n * ROUNDS, (n + 1) * ROUNDS)
  await sessions.askedAfterAll()
  for (const session of group(0)) await sessions.revoke(session)
  b.toRedis.cut()
  for (const session of group(1)) await sessions.revoke(session)
  await sessions.askedAfterAll()
  b.toRedis.heal()

  b.toPostgres.cut()
  const cutAt = performance.now()
  await eventually(() => expect(sessions.unanswered).toBeGreaterThan(0))
  const edits: [path: string, event: object, key: string][] = []
  const edit = async (event: object, key: string) => {
    const path = `/v1/actors/user/${user}/commands`
    const answer = await b.client.request('POST', path, { body: event, headers: { 'idempotency-key': key } })
    expect(answer).toMatchObject({ status: 202, body: { tentative: true } })
    edits.push([path, event, key])
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const node of nodes) await tell(node, 10 * round + 1)
    await commands.send(
      `/v1/actors/user/${user}/commands`,
      { type: 'user.updated', displayName: `Ada ${round}` },
      `name-${round}`,
    )
    await edit({ type: 'user.updated', avatarUrl: `https://example.org/${round}` }, `picture-${round}`)
    await sessions.revoke(group(2)[round] as number)
    await sessions.revokeTentatively(b, group(3)[round] as number)
    // Changed here without the log, then revoked there with it.
    const contested = group(4)[round] as number
    const touch = { type: 'session.touched', ipAddress: '192.0.2.1' }
    expect(await b.client.request('POST', `/v1/actors/session/${contested}/commands`, { body: touch })).toMatchObject({
      status: 202,
    })
    await sessions.revoke(contested)
    const left = cutAt + ((round + 1) * PARTITION_MS) / ROUNDS - performance.now()
    await new Promise(resolve => setTimeout(resolve, Math.max(0, left)))
  }
  await expectFiguresOn(nodes)
  expect(await b.component('log')).toMatchObject({ status: 'down' })
  b.toPostgres.heal()

  // By the node that took them, before any other is asked to.
  asked = b
  await sessions.settle()
  for (const [path, event, key] of edits)
    expect(await commands.send(path, event, key)).toMatchObject({ taken: true, repeated: true })
  await sessions.askedAfterAll()
  await sessions.stop()
  expect(breaches(sessions.history, 0)).toEqual([])
  expect(unproven(sessions.history, ['a', 'b', 'c'], 0)).toEqual([])
  await context.annotate(`the slowest read, cut off or not, took ${Math.round(sessions.slowest)} ms`)

  await tell(c, 7)
  await expectFiguresOn(nodes)
  await commands.send(toStream, { type: 'stream.stopped' }, 'stop')
  const { body } = await a.client.request('GET', `/v1/actors/stream/${stream}/events?limit=1000`)
  const { events } = body as { events: readonly { readonly type: string; readonly data: object }[] }
  const last = (type: string) => events.findLast(event => event.type === type)?.data
  expect(last('stream.stats.updated')).toMatchObject({ bytesSent: sum('bytesSent') })
  expect(last('stream.viewers.updated')).toMatchObject({ viewers: sum('viewers') })
  for (const { client } of nodes)
    expect((await client.request('GET', `/v1/actors/user/${user}`)).body).toMatchObject({
      context: { row: { display_name: `Ada ${ROUNDS - 1}`, avatar_url: `https://example.org/${ROUNDS - 1}` } },
    })
  await expectAllAlike(scene, nodes, commands)
})
