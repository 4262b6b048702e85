/** Redis breaks under several nodes: commands go on, and nobody misses anything. */
import { expect, test } from 'vitest'
import { openSse } from '../http/sse-client.ts'
import { eventually } from '../sync/eventually.ts'
import { aStream, expectAllAlike, inTurn, SMALL, threeNodes, versionOn } from './many-nodes.ts'
import { connected, TOKEN } from './several-processes.ts'
import { runWorkload } from './workload.ts'

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
