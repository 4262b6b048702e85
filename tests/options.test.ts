/** What a careless program gives as options: the node does not start, and says which of them are wrong. */
import { expect, onTestFinished, test } from 'vitest'
import { createNode, type NodeOptions } from '../src/index.ts'
import { silentLogger } from '../src/logging.ts'

const start = (options: object) => createNode({ memory: true, log: silentLogger, ...(options as NodeOptions) })

test.each<[string, object]>([
  ['name', { name: 'a b' }],
  ['name', { name: '' }],
  ['name', { name: 'x'.repeat(64) }],
  ['name', { name: 7 }],
  ['patienceMs', { patienceMs: -1 }],
  ['readPatienceMs', { readPatienceMs: Number.NaN }],
  ['clockLeaseMs', { clockLeaseMs: '1h' }],
  ['journalBytes', { journalBytes: 0 }],
])('%s: %o', async (name, options) => {
  await expect(start(options)).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringMatching(new RegExp(`^${name}: .*not started`)),
  })
})

test('all that are wrong are named, and one that is undefined is the default', async () => {
  await expect(start({ name: '-', patienceMs: 0 })).rejects.toThrow(/name: .*patienceMs: /)
  const node = await start({ name: undefined, patienceMs: undefined })
  onTestFinished(() => node.close())
  expect(node.name).toMatch(/^[\w.-]+$/)
})
