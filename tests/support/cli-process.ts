/** Runs the command line as processes of its own, as a user does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { TEST_KEY_TEXT } from './test-keys.ts'

/** Processes of one test share a log, and so a key ring, whichever homes they have. An empty ROOTSTREAM_KEYS leaves it out. */
const KEYS = { ROOTSTREAM_KEYS: TEST_KEY_TEXT }

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
/** Hundreds of starts of the same code: half the work of a start is compiling it. */
const NODE_COMPILE_CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache/compiled')

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command to its end. */
export async function runCli(
  args: readonly string[],
  env: Record<string, string>,
  options: { input?: string; cwd?: string } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, NODE_COMPILE_CACHE, ...KEYS, ...env },
    stdio: 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', chunk => stdout.push(chunk))
  child.stderr.on('data', chunk => stderr.push(chunk))
  child.stdin.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

export interface NodeProcess {
  readonly pid: number
  /** Where its HTTP API listens. */
  readonly url: string
  /** What `start --json` said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>
  /** Resolves when it has ended, however: by this signal, and with this on standard error. */
  readonly ended: Promise<{ readonly signal: NodeJS.Signals | null; readonly stderr: string }>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** Starts a node and waits until it says where it listens. */
export async function startNodeProcess(
  env: Record<string, string>,
  options: { cwd?: string; nodeArgs?: readonly string[] } = {},
): Promise<NodeProcess> {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), MAIN, 'start', '--json'], {
    env: { ...process.env, NODE_COMPILE_CACHE, ...KEYS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  let errors = ''
  child.stderr.on('data', chunk => {
    errors += chunk
  })
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, closed.then(() => undefined)])
  if (first === undefined) throw new Error(`the node did not start: ${errors}`)
  const ready = JSON.parse(first[0]) as Record<string, unknown>
  return {
    pid: child.pid ?? 0,
    url: String(ready.http),
    ready,
    ended: closed.then(([, signal]) => ({ signal, stderr: errors })),
    stop: async () => {
      child.kill('SIGTERM')
      return (await closed)[0]
    },
    kill: async () => {
      child.kill('SIGKILL')
      await closed
    },
  }
}
