/** A folder for one test that the unprivileged user of a Postgres can pass through, so that its data stays inside. */
import { existsSync, statfsSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

const MEMORY = '/dev/shm'
/** What the servers of all suites together may come to take, with room to spare: Postgres keeps a gigabyte of its log. */
const ROOM_BYTES = 6 * 1024 ** 3

export function temporaryFolder(name: string): Promise<string> {
  return folderIn(os.tmpdir(), name)
}

/**
 * A folder for the data of a Postgres server: in memory where there is room. Making a database writes a few hundred
 * files, which is most of what the suites would otherwise wait for; no test ends the machine, so none misses a disk.
 */
export function serverFolder(name: string): Promise<string> {
  return folderIn(existsSync(MEMORY) && freeBytes(MEMORY) > ROOM_BYTES ? MEMORY : os.tmpdir(), name)
}

async function folderIn(parent: string, name: string): Promise<string> {
  const folder = await mkdtemp(path.join(parent, `rootstream-${name}-`))
  await chmod(folder, 0o711)
  return folder
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
