/** Events that can be merged are taken while Postgres is away, and are in the log once when it is back. */
import { describe, expect, test } from 'vitest'
import { accepted, history, openSession, outageStage, registerUser, tentative } from './outage-stage.ts'

describe('a node that is cut off from Postgres', { timeout: 60_000 }, () => {
  test('takes a profile and a revocation, shows them, and brings them to the log', async () => {
    const { start } = await outageStage()
    const { node, link, healed } = await start('a')
    const ada = await registerUser(node, 'ada')
    const session = await openSession(node, ada, 'token')
    link.cut()
    const update = { type: 'user.updated', displayName: 'Ada L.' }
    const answer = tentative(await node.actor('user', ada).send(update, { commandId: 'rename' }))
    expect(answer).toMatchObject({ basis: 1, repeated: false, event: { state: 'active', commandId: 'rename' } })
    expect(answer.event).not.toHaveProperty('position')
    tentative(await node.actor('session', session).send({ type: 'session.revoked' }))
    expect(await node.actor('session', session).state()).toMatchObject({
      state: 'revoked',
      version: 1,
      tentative: true,
    })
    expect(await node.actor('user', ada).send(update, { commandId: 'rename' })).toMatchObject({
      tentative: true,
      repeated: true,
    })
    expect(node.actors.outage()).toMatchObject({ away: true, pending: 2 })

    link.mend()
    await healed()
    expect(await node.actor('session', session).state()).toMatchObject({ state: 'revoked', version: 2 })
    expect(
      (await history(node, 'user', ada)).map(({ type, commandId, origin }) => [type, commandId, origin?.basis]),
    ).toEqual([
      ['user.registered', null, undefined],
      ['user.updated', 'rename', 1],
    ])
    const repeated = accepted(await node.actor('user', ada).send(update, { commandId: 'rename' }))
    expect(repeated).toMatchObject({ repeated: true, event: { version: 2 } })
    expect(node.actors.outage()).toMatchObject({ away: false, pending: 0, bytes: 0 })
  })
})
