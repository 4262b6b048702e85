/** A private Postgres server: made on first use, on loopback only, stopped with its owner, recovered after a crash of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { access, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { silentLogger } from '../core/silent-logger.ts'
import { embeddedBinaries } from './binaries.ts'
import { ownerOf, takeOwnership } from './owner-lock.ts'
import { type RunAs, reachableBinaries, reachableData, unprivilegedUser } from './unprivileged.ts'

export interface StartPostgresOptions {
  /** Folder of the cluster; beside it lie its lock, its password and the log of the server. */
  readonly dataDir: string
  /** Folder with `initdb` and `postgres`, default the embedded ones. */
  readonly binDir?: string
  /** Server settings, for instance `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>
  readonly log?: Logger
}

export interface PostgresServer {
  /** Holds the password: not for logs. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly dataDir: string
  /** Stops the server and gives up the directory; may be called twice. */
  stop(): Promise<void>
}

const USER = 'rootstream'
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000

/** Throws AppError `already_running` where another process owns the directory, `setup_failed` with what the server said. */
export async function startPostgres(options: StartPostgresOptions): Promise<PostgresServer> {
  const { log = silentLogger, settings = {} } = options
  const wanted = path.resolve(options.dataDir)
  await mkdir(path.dirname(wanted), { recursive: true })
  const giveUp = takeOwnership(`${wanted}.lock`)
  try {
    const user = await unprivilegedUser(log)
    const binDir = await reachableBinaries(options.binDir ?? (await embeddedBinaries()), user, log)
    const dataDir = await reachableData(wanted, user, log)
    await stopLeftover(dataDir, log)
    const passwordFile = `${wanted}.password`
    if (!(await exists(path.join(dataDir, 'PG_VERSION'))))
      await initialise({ binDir, dataDir, passwordFile, user, log })
    const password = (await readFile(passwordFile, 'utf8')).trim()
    const port = await freePort()
    const server = await run({ binDir, dataDir, port, settings, user, logFile: `${wanted}.log` })
    await writeFile(`${wanted}.port`, String(port), { mode: 0o600 })
    let stopping: Promise<void> | undefined
    return {
      url: urlOf(password, port),
      port,
      pid: server.pid ?? 0,
      dataDir,
      stop: () => {
        stopping ??= stop(server).finally(giveUp)
        return stopping
      },
    }
  } catch (error) {
    giveUp()
    throw error
  }
}

/** Address of the server that another live process started on this directory, or undefined. */
export async function runningPostgres(dataDir: string): Promise<{ url: string } | undefined> {
  const wanted = path.resolve(dataDir)
  if (ownerOf(`${wanted}.lock`) === undefined) return undefined
  try {
    const [password, port] = await Promise.all([
      readFile(`${wanted}.password`, 'utf8'),
      readFile(`${wanted}.port`, 'utf8'),
    ])
    return (await answers(Number(port))) ? { url: urlOf(password.trim(), Number(port)) } : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function urlOf(password: string, port: number): string {
  return `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`
}

interface Cluster {
  readonly binDir: string
  readonly dataDir: string
  readonly user: RunAs | undefined
}

/** Makes the cluster under another name and moves it in place, so that an interrupted start leaves nothing half-made. */
async function initialise({
  binDir,
  dataDir,
  passwordFile,
  user,
  log,
}: Cluster & { passwordFile: string; log: Logger }): Promise<void> {
  log.info({ data: dataDir }, 'making a Postgres cluster')
  const draft = `${dataDir}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  // initdb runs as the user and must be able to read it: inside the folder that is the user's alone.
  const handover = `${dataDir}.handover`
  const password = randomBytes(24).toString('base64url')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await writeFile(handover, password, { mode: 0o600 })
  try {
    if (user !== undefined) for (const file of [draft, handover]) await chown(file, user.uid, user.gid)
    const args = [
      '-D',
      draft,
      '-U',
      USER,
      `--pwfile=${handover}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ]
    const child = spawn(path.join(binDir, 'initdb'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: path.dirname(draft),
      env: serverEnvironment(binDir),
      ...user,
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new AppError('setup_failed', `The Postgres cluster could not be made: ${lastLines(said)}`)
    await rename(draft, dataDir)
  } finally {
    await rm(handover, { force: true })
  }
}

async function run({
  binDir,
  dataDir,
  port,
  settings,
  user,
  logFile,
}: Cluster & { port: number; settings: Readonly<Record<string, string>>; logFile: string }): Promise<ChildProcess> {
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // Only loopback TCP: a socket path would have to fit into 107 bytes wherever the checkout lies.
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    max_connections: '100',
    ...settings,
  }
  const args = ['-D', dataDir, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  // A new file at each start keeps it from growing for ever; the file outlives the node, so the server never writes to a broken pipe.
  const output = openSync(logFile, 'w', 0o600)
  const child = spawn(path.join(binDir, 'postgres'), args, {
    stdio: ['ignore', output, output],
    cwd: dataDir,
    // Out of the terminal's process group: Ctrl-C reaches the node, which then stops the server in order.
    detached: true,
    env: serverEnvironment(binDir),
    ...user,
  })
  closeSync(output)
  let gone: string | undefined
  child.once('error', error => {
    gone = error.message
  })
  child.once('exit', code => {
    gone ??= `it ended with code ${code}`
  })
  const deadline = performance.now() + READY_TIMEOUT_MS
  while (!(await isReady(dataDir, child.pid))) {
    if (gone !== undefined)
      throw new AppError(
        'setup_failed',
        `Postgres did not start (${gone}): ${lastLines(readFileSync(logFile, 'utf8'))}`,
      )
    if (performance.now() > deadline) {
      child.kill('SIGQUIT')
      throw new AppError(
        'setup_failed',
        `Postgres was not ready after ${READY_TIMEOUT_MS / 1_000} s: ${lastLines(readFileSync(logFile, 'utf8'))}`,
      )
    }
    await delay(10)
  }
  return child
}

/** Postgres writes its state into the last line of the pid file. The file of a killed server says that one was ready. */
async function isReady(dataDir: string, pid: number | undefined): Promise<boolean> {
  const lines = (await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  const late = delay(STOP_TIMEOUT_MS, 'late', { ref: false })
  if ((await Promise.race([exited, late])) !== 'late') return
  child.kill('SIGQUIT')
  await exited
}

/** Stops, by its pid, a server that a killed owner left on this directory. */
async function stopLeftover(dataDir: string, log: Logger): Promise<void> {
  const [pidLine, folder] = (await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const pid = Number(pidLine)
  if (!Number.isSafeInteger(pid) || pid <= 1 || folder !== dataDir || !isPostgres(pid, dataDir)) return
  log.info({ pid }, 'stopping the Postgres server of a node that was killed')
  for (const [signal, patience] of [
    ['SIGINT', STOP_TIMEOUT_MS],
    ['SIGQUIT', STOP_TIMEOUT_MS],
  ] as const) {
    process.kill(pid, signal)
    const deadline = performance.now() + patience
    while (performance.now() < deadline) {
      if (!isPostgres(pid, dataDir)) return
      await delay(20)
    }
  }
  throw new AppError(
    'setup_failed',
    `The Postgres server ${pid}, left by a node that was killed, does not stop. Its data is unharmed; stop it and start again.`,
  )
}

/** Whether the pid is still that server, and not another program that got its number. */
function isPostgres(pid: number, dataDir: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return command.includes('postgres') && command.includes(dataDir)
  } catch {
    // No such process.
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Nothing of the caller's environment but what a server needs: PG* variables would change what it does. */
function serverEnvironment(binDir: string): NodeJS.ProcessEnv {
  return { PATH: `${binDir}:/usr/bin:/bin`, LC_ALL: 'C', TZ: 'UTC' }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ')
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
