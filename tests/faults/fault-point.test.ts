/** The fault points are there for tests, and nowhere else. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { FAULT_POINTS, OUTAGE_FAULT_POINTS } from '../../src/core/fault-point.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** The function that `#fault-point` is in a process started with these arguments. */
function resolved(...args: string[]): string {
  const script = "const { faultPoint } = await import('#fault-point'); console.log(String(faultPoint))"
  return execFileSync(process.execPath, [...args, '--input-type=module', '--eval', script], {
    cwd: ROOT,
    encoding: 'utf8',
  })
}

test('a node gets an empty function, whatever its environment says; only the condition brings the other', () => {
  expect(resolved().replaceAll(/\s+/g, ' ').trim()).toMatch(/^function faultPoint\(\w+ *\) *\{ *\}$/)
  expect(resolved('--conditions=fault-points')).toContain('SIGKILL')
})

test('each point of the list is in the code once, and the code has no other', () => {
  const source = globSync('src/**/*.ts', { cwd: ROOT }).map(file => readFileSync(path.join(ROOT, file), 'utf8'))
  const placed = source.flatMap(text => [...text.matchAll(/\bfaultPoint\('([^']+)'\)/g)].map(match => match[1]))
  expect(placed.sort()).toEqual([...FAULT_POINTS, ...OUTAGE_FAULT_POINTS].sort())
})
