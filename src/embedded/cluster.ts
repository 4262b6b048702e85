/** A cluster: the folder a private Postgres server keeps its data in. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { RunAs } from './unprivileged.ts'

/** Who owns the cluster, and whom nodes connect as. */
export const USER = 'rootstream'

export interface Cluster {
  readonly binDir: string
  readonly dataDir: string
  readonly user: RunAs | undefined
}

/** Makes the cluster under another name and moves it in place, so that an interrupted start leaves nothing half-made. */
export async function makeCluster({
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

/** Nothing of the caller's environment but what a server needs: PG* variables would change what it does. */
export function serverEnvironment(binDir: string): NodeJS.ProcessEnv {
  return { PATH: `${binDir}:/usr/bin:/bin`, LC_ALL: 'C', TZ: 'UTC' }
}

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ')
}
