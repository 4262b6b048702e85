/** A folder for one test that the unprivileged user of a Postgres can pass through, so that its data stays inside. */
import { chmod, mkdtemp } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

export async function temporaryFolder(name: string): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `rootstream-${name}-`))
  await chmod(folder, 0o711)
  return folder
}
