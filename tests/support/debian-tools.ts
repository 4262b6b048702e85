/** Programs of Debian packages for tests: those of the machine or, without root too, unpacked into a cache folder. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'

const CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache/debian')
// The browser stands beside its data; the one in `usr/bin` is a script that looks for it in `/usr`.
const PATHS = ['usr/lib/chromium', 'usr/bin', 'bin']

export interface DebianProgram {
  readonly file: string
  /** What it needs beside the environment of this process. */
  readonly env: Readonly<Record<string, string>>
}

/** Runs a program of a package and answers what it prints. Where it is not there, its package is fetched first. */
export function debianTool(packageName: string, program: string): (args: readonly string[]) => string {
  const { file, env: own } = debianProgram(packageName, program)
  const env = { ...process.env, ...own }
  return args => execFileSync(file, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Where a program of a package is; where it is not there, its package is fetched first. */
export function debianProgram(packageName: string, program: string): DebianProgram {
  const installed = PATHS.map(folder => path.join('/', folder, program)).find(existsSync)
  if (installed !== undefined) return { file: installed, env: {} }
  const root = path.join(CACHE, packageName)
  if (!existsSync(root)) unpack(packageName, root)
  const file = PATHS.map(folder => path.join(root, folder, program)).find(existsSync)
  if (file === undefined) throw new Error(`Debian's ${packageName} has no program ${program}`)
  return { file, env: surroundings(root) }
}

/** The package and what it needs of what this machine lacks. In a folder of its own until it is whole. */
function unpack(packageName: string, root: string): void {
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(path.join(CACHE, 'unpacking-'))
  try {
    for (const part of ['state/lists/partial', 'cache/archives/partial', 'root'])
      mkdirSync(path.join(folder, part), { recursive: true })
    // Lists and archives of our own need no root, and no lock.
    const own = [
      `Dir::State=${folder}/state`,
      'Dir::State::status=/var/lib/dpkg/status',
      `Dir::Cache=${folder}/cache`,
      'Debug::NoLocking=1',
      'APT::Sandbox::User=',
    ].flatMap(option => ['-o', option])
    const apt = (...args: string[]) =>
      execFileSync('apt-get', [...own, '-qq', ...args], { cwd: folder, encoding: 'utf8' })
    apt('update')
    const planned = apt('install', '--simulate', '--no-install-recommends', packageName)
    const packages = [...planned.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name)
    apt('download', ...packages)
    for (const file of readdirSync(folder).filter(name => name.endsWith('.deb')))
      execFileSync('dpkg', ['--extract', path.join(folder, file), path.join(folder, 'root')])
    renameSync(path.join(folder, 'root'), root)
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(root)) throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Where unpacked programs find their libraries, and ImageMagick its readers of images. */
function surroundings(root: string): Record<string, string> {
  const folders = readdirSync(root, { recursive: true, withFileTypes: true })
  const holding = (file: string) => folders.find(({ name }) => name === file)?.parentPath
  const libraries = new Set(
    folders.filter(({ name }) => /\.so(\.\d+)*$/.test(name)).map(({ parentPath }) => parentPath),
  )
  const [readers, policy] = [holding('png.so'), holding('policy.xml')]
  return {
    LD_LIBRARY_PATH: [...libraries].join(':'),
    ...(readers === undefined ? {} : { MAGICK_CODER_MODULE_PATH: readers }),
    ...(policy === undefined ? {} : { MAGICK_CONFIGURE_PATH: policy }),
  }
}
