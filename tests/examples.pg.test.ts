/** The examples of the documentation do what they say. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../examples/embed.ts'
import { main as multiInstance } from '../examples/multi-instance.ts'
import { silentLogger } from '../src/logging.ts'
import { createTestDatabase } from './support/database.ts'
import { MULTI_INSTANCE } from './support/multi-instance-lines.ts'

test.each(['Postgres', 'memory'])('embedding a node on %s', async kind => {
  const database = kind === 'memory' ? undefined : await createTestDatabase()
  const lines: string[] = []
  const options = database === undefined ? { memory: true } : { database: database.url }
  await main({ ...options, log: silentLogger }, line => lines.push(line))
  await database?.drop()
  // The outcome of the effect of going live comes when it comes: before the stop, or not at all.
  expect(lines.filter(line => !line.includes('stream.broadcast.opened'))).toEqual([
    'heard    stream.created (version 1)',
    'heard    stream.started (version 2)',
    'retried  the first outcome came back',
    "refused  in state 'live', which allows stream.stopped, viewer.joined, viewer.left, …",
    expect.stringMatching(/^heard {4}stream\.stopped \(version [45]\)$/),
    'now      idle',
    'then     live (at version 2)',
  ])
})

test('embedding a node works again on the same log', async () => {
  const database = await createTestDatabase()
  const said: string[][] = []
  for (const lines of [[], []] as string[][]) {
    await main({ database: database.url, log: silentLogger }, line => lines.push(line))
    said.push(lines)
  }
  await database.drop()
  for (const lines of said) expect(lines).toContain('retried  the first outcome came back')
})

test('three nodes that meet in this process, one cut off and healed', async () => {
  const database = await createTestDatabase()
  const lines: string[] = []
  await multiInstance({ database: database.url, log: silentLogger }, line => lines.push(line))
  await database.drop()
  expect(lines).toEqual(MULTI_INSTANCE)
})

test('the example of the README is the example that was run', () => {
  const root = path.resolve(import.meta.dirname, '..')
  const example = readFileSync(path.join(root, 'examples/embed.ts'), 'utf8')
  const shown = /```ts\n([\s\S]*?)```/.exec(readFileSync(path.join(root, 'README.md'), 'utf8'))?.[1] ?? ''
  const lines = shown
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  expect(lines.length).toBeGreaterThan(5)
  for (const line of lines) expect(example).toContain(line)
})
