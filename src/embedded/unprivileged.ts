/** Postgres refuses to run as root: finds or makes a user it runs as, and a place that user can reach. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chown, cp, lstat, mkdir, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

const run = promisify(execFile)

export interface RunAs {
  readonly uid: number
  readonly gid: number
}

const ELSEWHERE = '/var/lib/rootstream'

/** The user Postgres runs as; undefined where this process is not root and simply runs it. */
export async function unprivilegedUser(log: Logger): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['rootstream', 'postgres']) {
    const found = await lookUp(name)
    if (found !== undefined) return found
  }
  log.info({ user: 'rootstream' }, 'root may not run Postgres: making the system user rootstream for it')
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'rootstream'])
  } catch (error) {
    throw new AppError(
      'setup_failed',
      'Postgres may not run as root, and the system user rootstream could not be made. Run as another user, or set DATABASE_URL.',
      { cause: error },
    )
  }
  const made = await lookUp('rootstream')
  if (made === undefined) throw new AppError('setup_failed', 'The system user rootstream was made and cannot be found.')
  return made
}

/** A folder for the data that the user can reach: the wanted one, or one elsewhere to which the wanted one becomes a link. */
export async function reachableData(wanted: string, user: RunAs | undefined, log: Logger): Promise<string> {
  await mkdir(path.dirname(wanted), { recursive: true })
  if (user === undefined || (await canReach(path.dirname(wanted), user))) return wanted
  const elsewhere = path.join(ELSEWHERE, createHash('sha256').update(wanted).digest('hex').slice(0, 16))
  await makeFolder(ELSEWHERE)
  await makeFolder(elsewhere)
  await chown(elsewhere, user.uid, user.gid)
  const link = await lstat(wanted).catch(() => undefined)
  if (link === undefined) {
    log.info(
      { data: elsewhere, link: wanted },
      'Postgres runs as another user, which cannot reach this folder: its data is elsewhere and linked from here',
    )
    await symlink(path.join(elsewhere, 'data'), wanted)
  }
  return path.join(elsewhere, 'data')
}

/** The programs where the user can reach them: in place, or copied once. */
export async function reachableBinaries(binDir: string, user: RunAs | undefined, log: Logger): Promise<string> {
  if (user === undefined || (await canReach(binDir, user))) return binDir
  const native = path.dirname(binDir)
  const copy = path.join(ELSEWHERE, `postgres-${createHash('sha256').update(native).digest('hex').slice(0, 16)}`)
  if ((await stat(path.join(copy, 'bin/postgres')).catch(() => undefined)) === undefined) {
    log.info({ to: copy }, 'Postgres runs as another user, which cannot reach its programs: copying them')
    await makeFolder(ELSEWHERE)
    await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  }
  return path.join(copy, 'bin')
}

/** Whether each folder on the way may be passed by the user. */
async function canReach(folder: string, { uid, gid }: RunAs): Promise<boolean> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const entry = await stat(at)
    const bit = entry.uid === uid ? 0o100 : entry.gid === gid ? 0o010 : 0o001
    if ((entry.mode & bit) === 0) return false
    if (at === path.dirname(at)) return true
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 })
}

async function lookUp(name: string): Promise<RunAs | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    // No such user.
    return undefined
  }
}
