/** A user with very many sessions: their history is looked through a few at a time, and nobody else waits for it. */
import { expect, onTestFinished, test } from 'vitest'
import { beginErasure } from '../../src/accounts/erasure.ts'
import { createNode } from '../../src/app.ts'
import { silentLogger } from '../../src/logging.ts'
import { quietPorts } from '../accounts/quiet-ports.ts'
import { registerUser } from '../journal/outage-stage.ts'

const SESSIONS = 1_000

test('no more than a few are read at once, and each is counted and sealed', async () => {
  const node = await createNode({ memory: true, log: silentLogger })
  onTestFinished(() => node.close())
  const ada = await registerUser(node, 'ada')
  let open = 0
  let most = 0
  const one = async () => {
    most = Math.max(most, ++open)
    await new Promise<void>(turn => setImmediate(turn))
    open--
    return 1
  }
  const ports = await quietPorts(node, {
    find: async () => Array.from({ length: SESSIONS }, (_, index) => index + 1),
    clearData: { count: one, seal: one },
  })
  expect(await beginErasure(ports, ada, {})).toMatchObject({
    ok: false,
    reason: 'in_the_clear',
    detail: expect.stringContaining(`${SESSIONS + 1} events`),
  })
  expect(await beginErasure(ports, ada, { rewriteClear: true })).toEqual({ ok: true, rewritten: SESSIONS + 1 })
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(16)
})
