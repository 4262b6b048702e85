/** `npm run bench -- NAME [--quick] [--json] [--only=PART,PART]`: runs one benchmark on a server of its own and prints its figures. */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { append } from './append.ts'
import { auth } from './auth.ts'
import type { Bench } from './bench.ts'
import { memory } from './memory.ts'
import { passwords } from './passwords.ts'
import { personal } from './personal.ts'
import { rebuild } from './rebuild.ts'
import { replay } from './replay.ts'
import { startBenchServer } from './server.ts'
import { sync } from './sync.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  append,
  replay,
  rebuild,
  memory,
  sync,
  auth,
  passwords,
  personal,
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const [name = ''] = positionals
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (bench === undefined || positionals.length > 1) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--quick] [--json] [--only=PART,PART]`)
  process.exit(2)
}

const server = await startBenchServer()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void server.stop().finally(() => process.exit(130)))
try {
  const { ours, peers, ratio, ...more } = await bench({
    server,
    quick: values.quick,
    only: values.only?.split(','),
    progress: text => process.stderr.write(`${text}\n`),
  })
  const machine = {
    cpu: os.cpus()[0]?.model,
    cores: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
    node: process.version,
    postgres: server.version,
  }
  if (values.json) console.log(JSON.stringify({ bench: name, ours, peers, ratio, machine, ...more }))
  else console.dir({ bench: name, ours, peers, ratio, machine, ...more }, { depth: null, breakLength: 140 })
} finally {
  await server.stop()
}
