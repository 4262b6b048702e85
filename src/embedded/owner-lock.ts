/** Makes a process the only owner of a data directory, also after an owner was killed. */

import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { AppError } from '../core/errors.ts'

interface Owner {
  readonly pid: number
  /** Start time of the process in clock ticks, where the system tells: a pid alone may have gone to another program. */
  readonly started: string | null
}

/** Takes the lock file; the returned function gives it back. Throws AppError `already_running`. */
export function takeOwnership(file: string): () => void {
  const mine: Owner = { pid: process.pid, started: startTime(process.pid) }
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 })
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        // A link appears whole or not at all, and only where no other is.
        linkSync(draft, file)
        return () => {
          if (readOwner(file)?.pid === process.pid) rmSync(file, { force: true })
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const owner = readOwner(file)
      if (owner !== undefined && isAlive(owner))
        throw new AppError(
          'already_running',
          `Process ${owner.pid} uses ${file.replace(/\.lock$/, '')}. Nothing was changed. Stop it first, or give this node a directory of its own with ROOTSTREAM_HOME.`,
          { details: { pid: owner.pid } },
        )
      setAside(file, draft, owner)
    }
    throw new AppError('already_running', `The lock ${file} keeps changing hands. Nothing was changed; try again.`)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Pid of the live owner, or undefined. */
export function ownerOf(file: string): number | undefined {
  const owner = readOwner(file)
  return owner !== undefined && isAlive(owner) ? owner.pid : undefined
}

/** Moves the lock of a dead owner away. Of two that do so at once, one finds that it moved a live one's and puts it back. */
function setAside(file: string, draft: string, dead: Owner | undefined): void {
  const aside = `${draft}.stale`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = readOwner(aside)
  if (moved !== undefined && (moved.pid !== dead?.pid || moved.started !== dead.started)) renameSync(aside, file)
  else rmSync(aside, { force: true })
}

function readOwner(file: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(file, 'utf8')) as Owner
    return Number.isSafeInteger(owner.pid) && owner.pid > 0 ? owner : undefined
  } catch {
    // Missing, or torn by a crash: no owner.
    return undefined
  }
}

function isAlive({ pid, started }: Owner): boolean {
  const now = startTime(pid)
  if (now !== null) return started === null || started === now
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Field 22 of /proc/<pid>/stat; the second field may hold spaces and brackets. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}
