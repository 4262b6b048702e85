/** Runs a node in memory and prints which modules of tracing it loaded: `node off-program.ts [on]`. */
import { registerHooks } from 'node:module'

const loaded: string[] = []
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url)
    return nextLoad(url, context)
  },
})

const { loadConfig } = await import('../../src/config.ts')
const { createNode } = await import('../../src/index.ts')
const { silentLogger } = await import('../../src/logging.ts')
const env = process.argv[2] === 'on' ? { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' } : {}
const { tracing } = loadConfig(env)
const node = await createNode({ memory: true, log: silentLogger, ...(tracing === undefined ? {} : { tracing }) })
const result = await node.create('user', {
  type: 'user.registered',
  username: 'ada',
  email: 'ada@example.org',
  passwordHash: 'x',
})
await node.close()

const relative = loaded.map(url => url.replace(/^.*\/(?=node_modules\/|src\/)/, ''))
process.stdout.write(
  JSON.stringify({
    ok: result.ok,
    modules: relative.length,
    packages: [...new Set(relative.flatMap(name => /@opentelemetry\/[\w-]+/.exec(name)?.[0] ?? []))],
    adapters: relative.filter(name => /^src\/tracing\/(?!environment|tracing-options)/.test(name)),
  }),
)
