/** `npm run test:merge:long [-- RUNS [SEED]]`: the merge suites over many more histories than `npm test` plays. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const [runs = '100000', seed = String(Math.floor(Math.random() * 2 ** 31))] = process.argv.slice(2)

process.stdout.write(`tests/merge with ${runs} histories a property, seed ${seed}\n`)
const { status } = spawnSync(
  process.execPath,
  [path.join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit', 'tests/merge'],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ROOTSTREAM_MERGE_RUNS: runs, ROOTSTREAM_MERGE_SEED: seed },
  },
)
process.exitCode = status ?? 1
