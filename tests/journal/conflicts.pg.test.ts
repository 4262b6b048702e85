/** Conflicts: recorded once however many nodes had the command, and settled without touching what nobody disputed. */
import { expect, test } from 'vitest'
import { accepted, outageStage, registerUser, tentative } from './outage-stage.ts'

test('over roles: the side that lost gets the role back that was taken, and the user keeps all others', async context => {
  const { start } = await outageStage(context)
  const a = await start('a')
  const b = await start('b')
  const ada = await registerUser(a.node, 'ada')
  const withRoles = (on: typeof a, roles: readonly string[]) =>
    on.node.actor('user', ada).send({ type: 'user.roles.changed', roles: [...roles] })
  accepted(await withRoles(a, ['operator', 'viewer']))
  a.link.cut()
  tentative(await withRoles(a, ['viewer']))
  // Nobody here knew of it: the role is taken, and given again.
  accepted(await withRoles(b, ['viewer']))
  accepted(await withRoles(b, ['operator', 'viewer']))
  a.link.mend()
  await a.healed()
  const roles = async () => (await b.node.actor('user', ada).state()).context['roles']
  expect(await roles()).toEqual(['viewer'])
  const [conflict] = await a.node.log.listActors('conflict', 0, 10)
  if (conflict === undefined) throw new Error('no conflict')
  // What happens between the merge and the settlement is not undone by it either.
  accepted(await withRoles(b, ['admin', 'viewer']))

  accepted(await a.node.actor('conflict', conflict.id).send({ type: 'conflict.settled', keep: 'log' }))
  await a.node.actors.effectsIdle()
  expect(await roles()).toEqual(['admin', 'operator', 'viewer'])
  expect(await b.node.actor('conflict', conflict.id).state()).toMatchObject({
    state: 'settled',
    context: { taken: true, row: { kept: 'log' } },
  })
})

test('over one command that was sent to two nodes without the log are one conflict', async context => {
  const { start } = await outageStage(context)
  const [a, b, c] = [await start('a'), await start('b'), await start('c')]
  const ada = await registerUser(a.node, 'ada')
  await b.node.actor('user', ada).state()
  a.link.cut()
  b.link.cut()
  accepted(await c.node.actor('user', ada).send({ type: 'user.updated', displayName: 'of c' }))
  const update = { type: 'user.updated', displayName: 'of a' }
  for (const { node } of [a, b]) tentative(await node.actor('user', ada).send(update, { commandId: 'update' }))
  for (const { link, healed } of [a, b]) {
    link.mend()
    await healed()
  }
  expect(await c.node.actor('user', ada).state()).toMatchObject({
    version: 3,
    context: { row: { display_name: 'of a' } },
  })
  expect(await c.node.log.listActors('conflict', 0, 10)).toMatchObject([{ state: 'open' }])
})
