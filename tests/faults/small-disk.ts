/** A file system of a few megabytes, in memory, which a test can fill and free. */
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { temporaryFolder } from '../support/temporary-folder.ts'

export interface SmallDisk {
  readonly folder: string
  /** Takes all the space that is left. */
  fill(): void
  /** Gives back what `fill` took. */
  free(): void
  remove(): Promise<void>
}

/** Mounting takes root, and a container may forbid it even to root. */
export async function canMount(): Promise<boolean> {
  try {
    await (await smallDisk(1)).remove()
    return true
  } catch {
    process.stderr.write('no file system can be mounted here: the tests with a full disk are left out\n')
    return false
  }
}

export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const folder = await temporaryFolder('disk')
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=711`, 'rootstream-test', folder])
  const ballast = path.join(folder, 'ballast')
  return {
    folder,
    fill: () => {
      const file = openSync(ballast, 'a')
      try {
        for (let { bavail, bsize } = statfsSync(folder); bavail > 0; { bavail, bsize } = statfsSync(folder))
          writeSync(file, Buffer.alloc(Math.min(bavail * bsize, 1_048_576)))
        fsyncSync(file)
      } catch (error) {
        // Postgres took the last blocks first.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove: async () => {
      execFileSync('umount', [folder])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
