/** A Redis server of a test's own, for what a shared one cannot be asked: stop, freeze, certificates, accounts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

export interface PrivateRedis {
  readonly port: number
  /** For `kill -STOP` and the like. */
  signal(name: NodeJS.Signals): void
  stop(): Promise<void>
}

export interface PrivateRedisOptions {
  /** Default a free one. */
  readonly port?: number
  /** Speaks TLS instead of plain TCP; PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string }
  /** More settings, as on the command line of redis-server. */
  readonly settings?: readonly string[]
  /** Runs as a sentinel with these settings. */
  readonly sentinel?: readonly string[]
  /** Where it keeps what must outlive it; default a folder that goes with it. */
  readonly dir?: string
}

export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const port = options.port ?? (await freePort())
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'rootstream-redis-')))
  const clean = async () => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
  const listen =
    options.tls === undefined
      ? ['--port', String(port)]
      : [
          ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
          ...['--tls-cert-file', options.tls.cert, '--tls-key-file', options.tls.key],
          ...['--tls-ca-cert-file', options.tls.ca],
        ]
  const shared = [...listen, '--bind', '127.0.0.1', '--dir', dir]
  const args =
    options.sentinel === undefined
      ? [...shared, '--save', '', ...(options.settings ?? [])]
      : [await writeSettings(dir, options.sentinel), '--sentinel', ...shared]
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(child, 'spawn')
    await ready(child)
  } catch (error) {
    await clean()
    throw error
  }
  return {
    port,
    signal: name => void child.kill(name),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGCONT')
        child.kill('SIGTERM')
        await exited
      }
      await clean()
    },
  }
}

// A sentinel keeps what it learns in its file of settings.
async function writeSettings(dir: string, lines: readonly string[]): Promise<string> {
  const file = path.join(dir, 'sentinel.conf')
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

async function ready(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error('redis-server has no output')
  const said: string[] = []
  for await (const line of createInterface(child.stdout)) {
    if (/Ready to accept connections|Sentinel ID is/.test(line)) {
      child.stdout.resume()
      return
    }
    said.push(line)
  }
  throw new Error(`redis-server did not start:\n${said.join('\n')}`)
}

/** A port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
