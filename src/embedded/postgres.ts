/** A private Postgres server: made on first use, on loopback only, stopped with its owner, recovered after a crash of it. */
import { once } from 'node:events'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import type { Logger } from '../core/ports.ts'
import { silentLogger } from '../core/silent-logger.ts'
import { embeddedBinaries } from './binaries.ts'
import { makeCluster, USER } from './cluster.ts'
import { ownerOf, takeOwnership } from './owner-lock.ts'
import { runServer, stopLeftover, stopServer } from './server-process.ts'
import { reachableBinaries, reachableData, unprivilegedUser } from './unprivileged.ts'

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
      await makeCluster({ binDir, dataDir, passwordFile, user, log })
    const password = (await readFile(passwordFile, 'utf8')).trim()
    const port = await freePort()
    const server = await runServer({ binDir, dataDir, port, settings, user, logFile: `${wanted}.log` })
    await writeFile(`${wanted}.port`, String(port), { mode: 0o600 })
    let stopping: Promise<void> | undefined
    return {
      url: urlOf(password, port),
      port,
      pid: server.pid ?? 0,
      dataDir,
      stop: () => {
        stopping ??= stopServer(server).finally(giveUp)
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

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
