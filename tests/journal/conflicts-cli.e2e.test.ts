/** `rootstream conflicts`: an operator sees what was lost, and brings it back. */
import { describe, expect, test } from 'vitest'
import { runCli } from '../support/cli-process.ts'
import { outageStage, registerUser, tentative } from './outage-stage.ts'

describe('conflicts', () => {
  test('are listed while they are open, and settled once', async context => {
    const { url, start } = await outageStage(context)
    const a = await start('a')
    const b = await start('b')
    const ada = await registerUser(a.node, 'ada')
    await b.node.actor('user', ada).state()
    a.link.cut()
    b.link.cut()
    for (const { node } of [a, b])
      tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: `of ${node.name}` }))
    for (const node of [b, a]) {
      node.link.mend()
      await node.healed()
    }
    const cli = async (...args: string[]) => runCli(['conflicts', ...args], { DATABASE_URL: url, LOG_LEVEL: 'silent' })
    const listed = await cli('list', '--json')
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    const [conflict, ...others] = JSON.parse(listed.stdout) as { id: number }[]
    expect(others).toEqual([])
    expect(conflict).toMatchObject({
      status: 'open',
      actor: `user/${ada}`,
      event: 'user.updated',
      winner: 'log',
      loser: { displayName: 'of a' },
    })
    const id = String(conflict?.id)
    const settled = await cli('settle', id, '--keep', 'event')
    expect(settled).toEqual({
      code: 0,
      stdout: `Conflict ${id} is settled: user/${ada} was given the fields of the event.\n`,
      stderr: '',
    })
    expect(await a.node.actor('user', ada).state()).toMatchObject({ context: { row: { display_name: 'of a' } } })
    expect((await cli('list', '--json')).stdout.trim()).toBe('[]')
    expect(JSON.parse((await cli('list', '--all', '--json')).stdout)).toMatchObject([
      { status: 'settled', kept: 'event' },
    ])
    expect(await cli('settle', id, '--keep', 'log')).toMatchObject({ code: 5 })
    expect(await cli('settle', '99', '--keep', 'log')).toMatchObject({ code: 4 })
    expect(await cli('settle', id, '--keep', 'both')).toMatchObject({ code: 2 })
  })
})
