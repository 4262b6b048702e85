/** Several nodes on one log: what one takes the others show, whichever takes it and however it dies. */
import { expect, test } from 'vitest'
import { openSse } from '../http/sse-client.ts'
import { createCommands } from './commands.ts'
import { aStream, expectAllAlike, inTurn, threeNodes, versionOn } from './many-nodes.ts'
import { connected, severalProcesses, TOKEN } from './several-processes.ts'

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
    const diedAt = performance.now()
    // By its look at the log, a second apart.
    expect(await stream.take(1)).toMatchObject([{ data: { actor: `stream/${id}`, version: 2 } }])
    await context.annotate(`heard of ${Math.round(performance.now() - diedAt)} ms after the death`)
    expect(await versionOn(b, `stream/${id}`)).toBe(2)
    // The same key to another node: the event that is there.
    expect(await before.send(path, event, 'last')).toMatchObject({ taken: true, version: 2, repeated: true })
    await expectAllAlike(several, bystanders, before)
  },
)
