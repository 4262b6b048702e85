/** Runs an example by its name: `npm run example -- multi-instance`. */
import { spawn } from 'node:child_process'
import path from 'node:path'

const EXAMPLES = ['embed', 'multi-instance']

const [name = ''] = process.argv.slice(2)
if (EXAMPLES.includes(name)) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, `${name}.ts`)], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the example too, which ends by itself.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', code => {
    process.exitCode = code ?? 1
  })
} else {
  console.error(`usage: npm run example -- NAME, where NAME is ${EXAMPLES.join(' or ')}`)
  process.exitCode = 2
}
