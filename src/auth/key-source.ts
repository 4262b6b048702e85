/** Where a node has its key ring from: a text, a file of its owner alone, or a program that prints it. */
import { execFile } from 'node:child_process'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { AppError } from '../core/errors.ts'
import { formatKeys, parseKeys, type RingKey, unusable } from './key-text.ts'

export type KeySource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: string }
  /** A file that the node makes where the log has no secrets yet. */
  | { readonly kind: 'own_file'; readonly file: string }
  /** A program and its arguments; no shell is asked. */
  | { readonly kind: 'command'; readonly argv: readonly string[] }

const MAX_BYTES = 64 * 1_024
const COMMAND_TIMEOUT_MS = 10_000
/** More than reading and writing for its owner. */
const TOO_WIDE = 0o177

/** Throws AppError `setup_failed`. @param timeoutMs how long a program may take */
export async function readKeys(source: KeySource, timeoutMs = COMMAND_TIMEOUT_MS): Promise<readonly RingKey[]> {
  switch (source.kind) {
    case 'text':
      return parseKeys(source.text, 'ROOTSTREAM_KEYS')
    case 'file':
    case 'own_file':
      return readKeyFile(source.file)
    case 'command':
      return parseKeys(await printed(source.argv, timeoutMs), 'the output of ROOTSTREAM_KEY_COMMAND')
  }
}

/** Throws AppError `setup_failed`, also where others than its owner may read it. */
export function readKeyFile(file: string): readonly RingKey[] {
  let text: string
  let descriptor: number | undefined
  try {
    // A pipe would keep the node waiting for a writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    // Of what was opened: the name may mean another file a moment later.
    const { mode, size, uid } = fstatSync(descriptor)
    const own = process.getuid?.() ?? uid
    if ((mode & 0o170000) !== 0o100000) throw unusable(file, 'it is no file')
    if (uid !== own && uid !== 0) throw unusable(file, `it belongs to the user ${uid}`)
    if ((mode & TOO_WIDE) !== 0)
      throw unusable(
        file,
        `others may read it (mode ${(mode & 0o777).toString(8)}): chmod 600 it, and think of its keys as known`,
      )
    if (size > MAX_BYTES) throw unusable(file, `it is larger than ${MAX_BYTES} bytes`)
    text = readFileSync(descriptor, 'utf8')
  } catch (error) {
    if (error instanceof AppError) throw error
    throw unusable(file, `it cannot be read (${(error as NodeJS.ErrnoException).code})`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
  return parseKeys(text, file)
}

/** The keys of a file, read again where it was changed. One that cannot be read any more leaves the keys as they were. */
export function watchKeyFile(
  file: string,
  first: readonly RingKey[],
  onFailure: (error: unknown) => void,
): () => readonly RingKey[] {
  let keys = first
  let seen = stampOf(file)
  return () => {
    const stamp = stampOf(file)
    if (stamp === seen) return keys
    seen = stamp
    try {
      keys = readKeyFile(file)
    } catch (error) {
      onFailure(error)
    }
    return keys
  }
}

/** Written whole under another name before it takes its own, readable by its owner alone. @param replace false: one that is there stays, and wins */
export function writeKeyFile(file: string, keys: readonly RingKey[], replace: boolean): void {
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`)
  rmSync(draft, { force: true })
  const descriptor = openSync(draft, 'wx', 0o600)
  try {
    writeSync(descriptor, formatKeys(keys))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  try {
    if (replace) renameSync(draft, file)
    else linkSync(draft, file)
    syncFolder(path.dirname(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.size}`
}

/** What it prints on standard error is not repeated: it may be a secret. */
function printed([program = '', ...args]: readonly string[], timeoutMs: number): Promise<string> {
  const where = 'the output of ROOTSTREAM_KEY_COMMAND'
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: MAX_BYTES, encoding: 'utf8', windowsHide: true },
      (error, stdout) => {
        if (error === null) return resolve(stdout)
        const { code, killed } = error
        reject(unusable(where, whyFailed(code, killed, timeoutMs)))
      },
    )
    child.stdin?.end()
  })
}

function whyFailed(code: string | number | null | undefined, killed: boolean | undefined, timeoutMs: number): string {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `it is longer than ${MAX_BYTES} bytes`
  if (killed) return `the program did not end within ${timeoutMs / 1_000} seconds`
  return `the program failed (${code ?? 'killed'})`
}
