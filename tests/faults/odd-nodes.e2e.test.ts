/** Nodes with a wrong clock, without their disk, or of the same name: each start is one of its own, and nothing is lost that was in the log. */
import { rm } from 'node:fs/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import { createCommands } from './commands.ts'
import { aStream, aUser, expectAllAlike, inTurn, SMALL, threeNodes, versionOn } from './many-nodes.ts'
import { connected, type ServedProcess, severalProcesses } from './several-processes.ts'
import { runWorkload } from './workload.ts'

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
  // Two of one name warn of each other as soon as they hear each other, which is no reason to wait.
  for (const node of [a, b, back, twin])
    await eventually(async () => {
      const { status, detail } = await node.component('bus')
      expect(status === 'ok' || 'warnings' in detail).toBe(true)
    })
  const incarnations = [c, back, twin].map(({ process }) => process.ready.incarnation)
  expect(new Set(incarnations).size).toBe(3)
  among = [back, twin, a]
  await runWorkload(commands, { ...SMALL, name: 'after' })
  await expectAllAlike(scene, [a, b, back, twin], commands)
})

test.concurrent('a node loses its disk while commands pend on it: these are gone, nothing else is, and its next start writes', async context => {
  const scene = await threeNodes(context)
  const [a, b, c] = scene.nodes
  let asked = a
  const commands = createCommands(() => asked.client)
  const user = await aUser(commands, 'ada')
  const path = `/v1/actors/user/${user}/commands`
  const edit = (displayName: string) => ({ type: 'user.updated', displayName })
  await commands.send(path, edit('before'), 'before')
  await versionOn(c, `user/${user}`)
  c.toPostgres.cut()
  for (const key of ['gone', 'sent-again']) {
    const headers = { 'idempotency-key': key }
    expect(await c.client.request('POST', path, { body: edit(key), headers })).toMatchObject({ status: 202 })
  }
  await commands.send(path, edit('meanwhile'), 'meanwhile')
  await c.process.kill()
  // What was on its way may not arrive after all.
  await c.toPostgres.close()
  await rm(c.home, { recursive: true })
  const back = await scene.start({ name: 'c' })
  await connected(a, b, back)
  for (const { client } of [a, b, back])
    expect((await client.request('GET', `/v1/actors/user/${user}`)).body).toMatchObject({
      version: 3,
      context: { row: { display_name: 'meanwhile' } },
    })
  // Who was answered 202 and asks again finds out, and settles it.
  asked = back
  expect(await commands.send(path, edit('sent-again'), 'sent-again')).toMatchObject({
    ...{ taken: true, version: 4, repeated: false },
  })
  await expectAllAlike(scene, [a, b, back], commands)
})
