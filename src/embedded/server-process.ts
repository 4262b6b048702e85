/** The process of a private Postgres server: started and waited for, stopped, and found again after its owner was killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { type Cluster, lastLines, serverEnvironment } from './cluster.ts'

const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 20_000

/** Answers once the server takes connections. Throws AppError `setup_failed` with what it said. */
export async function runServer({
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

export async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  const late = delay(STOP_TIMEOUT_MS, 'late', { ref: false })
  if ((await Promise.race([exited, late])) !== 'late') return
  child.kill('SIGQUIT')
  await exited
}

/** Stops, by its pid, a server that a killed owner left on this directory. */
export async function stopLeftover(dataDir: string, log: Logger): Promise<void> {
  const [pidLine, folder] = (await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const pid = Number(pidLine)
  if (!Number.isSafeInteger(pid) || pid <= 1 || folder !== dataDir || !isPostgres(pid, dataDir)) return
  log.info({ pid }, 'stopping the Postgres server of a node that was killed')
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    process.kill(pid, signal)
    const deadline = performance.now() + STOP_TIMEOUT_MS
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
