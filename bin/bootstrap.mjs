/**
 * Sets up what this checkout needs and runs one of its TypeScript files: `node bin/bootstrap.mjs FILE [ARG ...]`.
 * Runs on any Node from 20 on and needs no dependency. It says each thing it does on one line, and nothing when there is nothing to do.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const NODE_MAJOR = 24
const NODE_VERSION = '24.21.0'
// Young objects get at most three times this many megabytes: enough that the work under way is not copied around all the
// time, little enough that a node with ten thousand actors stays small.
// The collector marks on threads beside the node, which on few cores would take them all from it and from Postgres.
const COLLECTOR_THREADS = Math.max(1, Math.min(4, os.availableParallelism() - 1))
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=32',
  `--v8-pool-size=${COLLECTOR_THREADS}`,
]
const LOCK_TIMEOUT_MS = 10 * 60_000

/** Runs `file` of this checkout under a fitting Node, with its packages in place. Ends this process with its exit code. */
export function run(file, args) {
  const node = ensureNode()
  for (const folder of new Set([ROOT, path.dirname(path.join(ROOT, file))])) ensurePackages(folder)
  const child = spawn(node, [...NODE_FLAGS, path.join(ROOT, file), ...args], {
    stdio: 'inherit',
    env: environment(node),
  })
  // A terminal sends SIGINT to the whole group, a supervisor sends SIGTERM to us alone: the child gets either, and decides when to end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => fail(`cannot run ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** Path of a Node that runs TypeScript: this one, or one from npm under .rootstream/node. */
function ensureNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath
  const home = path.join(ROOT, '.rootstream', 'node')
  const node = path.join(home, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const stamp = path.join(home, 'version')
  const ready = () => existsSync(node) && readText(stamp) === NODE_VERSION
  if (ready()) return node
  locked('node', () => {
    if (ready()) return
    say(`installing Node ${NODE_VERSION} into .rootstream/node (this one is ${process.versions.node})`)
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home, { recursive: true })
    // The package finds the program for this machine in its install script, which runs npm itself: a prefix given to
    // the outer npm would reach the inner one and send it in circles, so the folder alone says where.
    writeFileSync(path.join(home, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }\n')
    npm(['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `node@${NODE_VERSION}`], home)
    if (!existsSync(node))
      fail(
        `npm installed node@${NODE_VERSION} without its program. Install Node ${NODE_MAJOR} or newer and start again.`,
      )
    writeFileSync(stamp, NODE_VERSION)
  })
  return node
}

/** Installs the packages of a folder's lock file, if it has one, where they are missing, stale or were half installed. */
function ensurePackages(folder) {
  const lock = path.join(folder, 'package-lock.json')
  if (!existsSync(lock)) return
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex')
  const stamp = path.join(folder, 'node_modules', '.rootstream-lock')
  if (readText(stamp) === wanted) return
  locked('packages', () => {
    if (readText(stamp) === wanted) return
    say(
      existsSync(path.join(folder, 'node_modules'))
        ? 'packages are stale: running npm ci'
        : 'installing packages: npm ci',
    )
    npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder)
    writeFileSync(stamp, wanted)
  })
}

function npm(args, cwd) {
  // npm start and npm test tell where npm is; without them it is looked for on the path. It runs under this machine's
  // own Node, beside which its settings lie (registry, certificates), not under the one that was just installed.
  const cli = process.env.npm_execpath
  const [program, first] = cli !== undefined && /npm-cli\.c?js$/.test(cli) ? [process.execPath, [cli]] : ['npm', []]
  // What the outer npm was told must not steer the inner one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(?!config_(?:registry|cafile|proxy|https_proxy|cache|userconfig|globalconfig)$)/i.test(name),
    ),
  )
  const { status, error, stdout, stderr } = spawnSync(program, [...first, ...args], {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  fail(
    `npm ${args[0]} failed${error ? ` (${error.message})` : ''}. Nothing else was changed; correct what it says above and start again.`,
  )
}

/** Two starts at once in one checkout: one works, the other waits and finds it done. */
function locked(name, work) {
  const folder = path.join(ROOT, '.rootstream')
  mkdirSync(folder, { recursive: true })
  const lock = path.join(folder, `${name}.lock`)
  const draft = `${lock}.${process.pid}`
  writeFileSync(draft, String(process.pid))
  const deadline = Date.now() + LOCK_TIMEOUT_MS
  try {
    while (!tryLink(draft, lock)) {
      const owner = Number(readText(lock))
      if (owner > 0 && !isAlive(owner)) {
        const aside = `${draft}.stale`
        try {
          renameSync(lock, aside)
          rmSync(aside)
        } catch {
          // Somebody else cleared it first.
        }
      } else if (Date.now() > deadline)
        fail(`another start has held ${lock} for long. If none runs, remove the file and start again.`)
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  } finally {
    rmSync(draft, { force: true })
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    work()
  } finally {
    process.off('exit', release)
    release()
  }
}

function tryLink(draft, lock) {
  try {
    linkSync(draft, lock)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The caller's environment, in which `node` is the fitting one for whatever is started next. */
function environment(node) {
  return { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` }
}

function readText(file) {
  try {
    return statSync(file).isFile() ? readFileSync(file, 'utf8').trim() : undefined
  } catch {
    return undefined
  }
}

function say(line) {
  process.stderr.write(`rootstream: ${line}\n`)
}

function fail(line) {
  say(line)
  process.exit(13)
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2)
  if (file === undefined) fail('usage: node bin/bootstrap.mjs FILE [ARG ...]')
  run(file, args)
}
