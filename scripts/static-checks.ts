/** Types, style and dead code: what can be known of the source without running it. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const ROOT = path.resolve(import.meta.dirname, '..')
const CHECKS = [
  ['typescript/bin/tsc', '--noEmit'],
  ['@biomejs/biome/bin/biome', 'ci', '--colors=off', '.'],
  ['knip/bin/knip.js', '--no-progress'],
] as const

for (const [program, ...args] of CHECKS) {
  const { status } = spawnSync(process.execPath, [path.join(ROOT, 'node_modules', program), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
