/** Opens the key ring of a node, and makes sure that it is the one of the log. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { AppError, isErrorCode } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { createKeyRing, type KeyRing, keyIdOf } from './key-ring.ts'
import { type KeySource, readKeyFile, readKeys, watchKeyFile, writeKeyFile } from './key-source.ts'
import { KEY_BYTES, newKey, type RingKey } from './key-text.ts'

/** Where the sealed naming key of a log is kept. */
export interface NamingKeyStore {
  read(): Promise<string | undefined>
  /** Writes it where there is none; answers the one that is there. */
  claim(sealed: string): Promise<string>
  /** Unless it is another by now. */
  replace(before: string, after: string): Promise<void>
}

export interface OpenedKeyRing {
  readonly ring: KeyRing
  /** File that keys can be added to. */
  readonly file: string | undefined
  /** For people. */
  readonly source: string
  /** What somebody should see to, one sentence each. */
  readonly warnings: readonly string[]
}

/** What the naming key is sealed for. */
export const NAMING_CONTEXT = 'naming-key'

/** Throws AppError `setup_failed` where the ring is unusable, or another than the one of the log. */
export async function openKeyRing(options: {
  readonly source: KeySource
  readonly store: NamingKeyStore
  readonly clock: Clock
  readonly log: Logger
}): Promise<OpenedKeyRing> {
  const { source, store, clock, log } = options
  const stored = await store.read()
  const made = source.kind === 'own_file' && !existsSync(source.file)
  if (made && stored !== undefined) throw noRing(keyIdOf(stored) ?? '', source.file)
  if (made) makeKeyFile(source.file, newKey(clock.now()))
  const keys = await readKeys(source)
  const file = source.kind === 'file' || source.kind === 'own_file' ? source.file : undefined
  const onFailure = (error: unknown) => log.error({ err: error }, 'the key ring was changed and cannot be read again')
  const latest = file === undefined ? {} : { latest: watchKeyFile(file, keys, onFailure) }
  const sealing = createKeyRing(keys, latest)
  const sealed =
    stored ?? (await store.claim(sealing.seal(randomBytes(KEY_BYTES).toString('base64url'), NAMING_CONTEXT)))
  try {
    const naming = Buffer.from(sealing.open(sealed, NAMING_CONTEXT), 'base64url')
    const warnings = source.kind === 'own_file' ? [ownFileWarning(source.file)] : []
    for (const warning of made ? warnings : []) log.warn({}, warning)
    return { ring: createKeyRing(keys, { ...latest, naming }), file, source: described(source), warnings }
  } catch (error) {
    if (!isErrorCode(error, 'corrupt_data')) throw error
    // Another node was faster with a ring of its own.
    if (made) rmSync(source.file, { force: true })
    throw anotherRing(keyIdOf(sealed) ?? '', keys, described(source), error)
  }
}

function makeKeyFile(file: string, key: RingKey): void {
  mkdirSync(path.dirname(file), { recursive: true })
  writeKeyFile(file, [key], false)
  readKeyFile(file)
}

function described(source: KeySource): string {
  switch (source.kind) {
    case 'text':
      return 'ROOTSTREAM_KEYS'
    case 'command':
      return 'ROOTSTREAM_KEY_COMMAND'
    default:
      return source.file
  }
}

function ownFileWarning(file: string): string {
  return `The key ring was made by this node and lies in ${file}: keep a copy apart from the database, and give it to the other nodes of this log. ROOTSTREAM_KEYS, ROOTSTREAM_KEY_FILE and ROOTSTREAM_KEY_COMMAND name another.`
}

function noRing(id: string, file: string): AppError {
  return new AppError(
    'setup_failed',
    `The secrets in this log are sealed under the key '${id}', and this node has no key ring: none is configured, and there is no ${file}. Nothing was started. Give it the ring of the other nodes by ROOTSTREAM_KEYS, ROOTSTREAM_KEY_FILE or ROOTSTREAM_KEY_COMMAND, or by a copy of that file.`,
  )
}

function anotherRing(id: string, keys: readonly RingKey[], source: string, cause: unknown): AppError {
  const ids = keys.map(key => key.id)
  const why = ids.includes(id) ? `its key '${id}' is another one` : `it lacks the key '${id}'; it has ${ids.join(', ')}`
  return new AppError(
    'setup_failed',
    `The key ring in ${source} is not the one of this log: ${why}. Nothing was started. All nodes of a log need the same ring: give this one that of the others.`,
    { cause, details: { needed: id, keys: ids } },
  )
}
