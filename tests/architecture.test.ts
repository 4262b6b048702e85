/** Who may import whom. The allow-list is the architecture; a layer that is not in it may import nothing of ours. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../src')

const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  machines: ['core'],
  merge: ['core', 'machines'],
  eventstore: ['core'],
  audit: ['core'],
  auth: ['core', 'cipher.ts'],
  privacy: ['core', 'machines', 'cipher.ts'],
  sync: ['core'],
  embedded: ['core'],
  tracing: ['core'],
  journal: ['core', 'embedded'],
  tentative: ['core', 'machines', 'merge', 'journal'],
  actors: ['core', 'machines', 'merge', 'journal', 'tentative'],
  snapshots: ['core', 'machines', 'actors'],
  accounts: ['core', 'machines', 'actors', 'auth'],
  live: ['core', 'machines', 'sync'],
  projections: ['core', 'machines', 'eventstore'],
  legacy: ['core', 'machines', 'eventstore'],
  http: [
    'core',
    'machines',
    'actors',
    'accounts',
    'snapshots',
    'projections',
    'sync',
    'live',
    'app.ts',
    'health.ts',
    'redaction.ts',
    'system-clock.ts',
  ],
  cli: [
    'core',
    'auth',
    'machines',
    'actors',
    'accounts',
    'snapshots',
    'projections',
    'legacy',
    'audit',
    'eventstore',
    'embedded',
    'privacy',
    'sync',
    'http',
    'app.ts',
    'node-log.ts',
    'config.ts',
    'logging.ts',
    'redaction.ts',
    'system-clock.ts',
  ],
  'node-options.ts': ['core', 'machines', 'accounts', 'auth', 'sync', 'tracing'],
  'node-log.ts': ['core', 'machines', 'auth', 'eventstore', 'privacy', 'projections', 'embedded', 'node-options.ts'],
  'node-parts.ts': ['core', 'actors', 'projections', 'sync', 'journal', 'tracing', 'node-log.ts', 'node-options.ts'],
  'node-accounts.ts': [
    'core',
    'accounts',
    'actors',
    'auth',
    'live',
    'projections',
    'sync',
    'node-log.ts',
    'node-options.ts',
  ],
  'app.ts': [
    'core',
    'machines',
    'actors',
    'accounts',
    'auth',
    'snapshots',
    'projections',
    'audit',
    'privacy',
    'sync',
    'live',
    'tentative',
    'checked-options.ts',
    'health.ts',
    'logging.ts',
    'node-accounts.ts',
    'node-log.ts',
    'node-options.ts',
    'node-parts.ts',
    'system-clock.ts',
  ],
  'health.ts': ['core', 'accounts', 'actors', 'audit', 'auth', 'projections', 'sync'],
  'index.ts': [
    'core',
    'machines',
    'actors',
    'accounts',
    'audit',
    'projections',
    'snapshots',
    'sync',
    'live',
    'tentative',
    'tracing',
    'app.ts',
    'health.ts',
    'node-options.ts',
  ],
  'config.ts': ['core', 'accounts', 'auth', 'sync', 'tracing', 'node-name.ts'],
  'checked-options.ts': ['core', 'node-name.ts', 'node-options.ts'],
  'node-name.ts': [],
  'logging.ts': ['core', 'redaction.ts'],
  'cipher.ts': [],
  'redaction.ts': [],
  'system-clock.ts': ['core'],
}

/** Packages that only some layers may use; every other one is free. */
const ONLY_IN: Record<string, readonly string[]> = {
  pg: ['eventstore', 'projections', 'legacy'],
  ioredis: ['sync'],
  xstate: ['machines'],
  '@simplewebauthn/server': ['auth'],
  '@simplewebauthn/server/helpers': ['auth'],
  fastify: ['http'],
  '@fastify/swagger': ['http'],
  'fastify-type-provider-zod': ['http'],
  'prom-client': ['http'],
  commander: ['cli'],
  pino: ['logging.ts'],
  '@opentelemetry/api': ['tracing'],
  '@opentelemetry/sdk-trace': ['tracing'],
  '@opentelemetry/resources': ['tracing'],
  '@opentelemetry/exporter-trace-otlp-http': ['tracing'],
}

interface Import {
  readonly file: string
  readonly layer: string
  readonly target: string
}

function layerOf(relative: string): string {
  return relative.split(path.sep)[0] ?? ''
}

const files = globSync('**/*.ts', { cwd: root })
const imports: readonly Import[] = files.flatMap(file => {
  const text = readFileSync(path.join(root, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => ({
    file,
    layer: layerOf(file),
    target: match[1] ?? '',
  }))
})

test('there is source to look at', () => {
  expect(files.length).toBeGreaterThan(40)
  expect(imports.length).toBeGreaterThan(100)
})

/** Where a `#name` leads in a node: the default of the conditions that package.json lists for it. */
function ownName(target: string): string {
  const { imports: names } = JSON.parse(readFileSync(path.join(root, '../package.json'), 'utf8')) as {
    imports: Record<string, { default: string }>
  }
  const file = names[target]?.default
  if (file === undefined) throw new Error(`package.json maps no ${target}`)
  return path.resolve(root, '..', file)
}

test('every layer imports only the layers below it', () => {
  const wrong = imports
    .filter(({ target }) => target.startsWith('.') || target.startsWith('#'))
    .map(({ file, layer, target }) => ({
      file,
      layer,
      to: layerOf(
        path.relative(root, target.startsWith('#') ? ownName(target) : path.resolve(root, path.dirname(file), target)),
      ),
    }))
    .filter(({ layer, to }) => to !== layer && !MAY_IMPORT[layer]?.includes(to))
    .map(({ file, to }) => `${file} imports ${to}`)
  expect(wrong).toEqual([])
})

test('a technology stays in its adapter', () => {
  const wrong = imports
    .filter(({ layer, target }) => ONLY_IN[target] !== undefined && !ONLY_IN[target].includes(layer))
    .map(({ file, target }) => `${file} uses ${target}`)
  expect(wrong).toEqual([])
})

test('core, machines and merge touch neither clock, chance nor the outside', () => {
  const impure =
    /\bDate\.now\(|new Date\(\)|Math\.random|randomUUID|process\.|setTimeout|setInterval|\bfetch\(|from 'node:(?!util)/
  const wrong = files.filter(
    file =>
      ['core', 'machines', 'merge'].includes(layerOf(file)) && impure.test(readFileSync(path.join(root, file), 'utf8')),
  )
  expect(wrong).toEqual([])
})

test('only config.ts reads the environment', () => {
  const wrong = files.filter(
    file => file !== 'config.ts' && /process\.env/.test(readFileSync(path.join(root, file), 'utf8')),
  )
  expect(wrong).toEqual([])
})
