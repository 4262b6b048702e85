/** Erasing on a busy machine: the history of many sessions is looked through a few at a time, and a log that is away for a moment is waited for. */
import { expect, onTestFinished, test } from 'vitest'
import { createAdministration } from '../../src/accounts/administration.ts'
import { beginErasure, isErased, prepareErasure } from '../../src/accounts/erasure.ts'
import { createNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
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
  expect(await prepareErasure(ports, ada, {})).toMatchObject({
    ok: false,
    reason: 'in_the_clear',
    detail: expect.stringContaining(`${SESSIONS + 1} events`),
  })
  expect(await prepareErasure(ports, ada, { rewriteClear: true })).toEqual({ ok: true, rewritten: SESSIONS + 1 })
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(16)
})

test('the lease of administrators is not held while the old sessions of one are looked through', async () => {
  const node = await createNode({ memory: true, log: silentLogger })
  onTestFinished(() => node.close())
  const [ada, bob] = [await registerUser(node, 'ada'), await registerUser(node, 'bob')]
  for (const id of [ada, bob]) await node.actor('user', id).send({ type: 'user.roles.changed', roles: ['admin'] })
  const steps: string[] = []
  const ports = await quietPorts(node, {
    find: async () => [1],
    listActors: (type, after, limit) => node.log.listActors(type, after, limit),
    clearData: { count: async () => steps.push('count'), seal: async () => steps.push('seal') },
    withLease: async (name, _ms, work) => {
      steps.push('lease')
      const done = await work({ name, token: 1, expiresAt: '' }, new AbortController().signal)
      steps.push('free')
      return done
    },
  })
  const administration = createAdministration(ports)
  expect(await administration.erase(ada, { rewriteClear: true })).toMatchObject({ ok: true, done: true })
  expect(steps).toEqual(['count', 'count', 'seal', 'seal', 'lease', 'free'])
  // The last one is told so before anything is looked at.
  steps.length = 0
  expect(await administration.erase(bob, { rewriteClear: true })).toMatchObject({ ok: false, reason: 'last_admin' })
  expect(steps).toEqual([])
})

test('an erasure that is in the log is not said to have failed for a log that is away for a moment', async () => {
  const node = await createNode({ memory: true, log: silentLogger })
  onTestFinished(() => node.close())
  const ada = await registerUser(node, 'ada')
  let looks = 0
  const ports = await quietPorts(node, {
    actor: (type, id) => {
      const user = node.actor(type, id)
      return {
        ...user,
        state: async options => {
          if (looks++ === 0) throw new AppError('log_unavailable', 'away')
          return user.state(options)
        },
      }
    },
  })
  expect(await beginErasure(ports, ada)).toEqual({ ok: true })
  expect(looks).toBe(0)
  expect(await isErased(ports, ada)).toBe(true)
  expect(looks).toBeGreaterThan(1)
})
