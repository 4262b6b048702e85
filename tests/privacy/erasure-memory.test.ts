/** A runtime that keeps everything in memory erases users as any other does. */
import { expect, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { CANARY_MARKS, letLoose } from './canary.ts'

test('a user of a log in memory', async () => {
  const node = await createNode({ memory: true, log: silentLogger })
  try {
    const { userId } = await letLoose(node)
    expect(JSON.stringify(await node.log.readAll(0, 1_000))).toContain('canary')
    expect(await node.accounts.administration.erase(userId)).toMatchObject({ ok: true, done: true })
    const all = JSON.stringify([await node.log.readAll(0, 1_000), await node.actor('user', userId).state()])
    expect(CANARY_MARKS.filter(mark => all.includes(mark))).toEqual([])
  } finally {
    await node.close()
  }
})
