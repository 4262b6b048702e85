/** A local, fsynced file of what was accepted while the log was away, until the log has it. */
import { existsSync } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { faultPoint } from '#fault-point'
import { AppError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { takeOwnership } from '../embedded/owner-lock.ts'
import { frame, HEADER_BYTES, scan } from './frames.ts'
import { type JournalEntry, parseEntries } from './journal-entry.ts'
import { type JournalMark, newJournalId, readMark, writeMark } from './mark.ts'

/** Default bound of the file, in bytes. */
export const JOURNAL_BYTES = 64 * 1024 * 1024

export interface Journal {
  /** Goes with the directory: another id is another journal, and one that was lost comes back under a new one. */
  readonly id: string
  /** What an earlier start left here of its clock. */
  readonly mark: JournalMark | undefined
  /** What an earlier start left here, in order; the caller settles it too. */
  readonly found: readonly JournalEntry[]
  /** Entries that are not settled yet. */
  readonly pending: number
  readonly bytes: number
  /** Why nothing can be written any more, until the next start; undefined where it can. */
  readonly failure: string | undefined
  /** Resolves when all are on disk; they are found together or not at all. Throws AppError `overloaded` (the file is full), `log_unavailable` (the disk fails). */
  write(entries: readonly JournalEntry[]): Promise<void>
  /** The log has it. The file is emptied when nothing else is in it. */
  settle(entry: JournalEntry): void
  /** A start begins to write, with stamps after `clock`. Throws AppError `setup_failed`. */
  begin(incarnation: number, clock: string): Promise<void>
  close(): Promise<void>
}

export interface JournalOptions {
  /** Directory of this journal alone. */
  readonly dir: string
  readonly log: Logger
  readonly maxBytes?: number
}

interface FileOptions {
  readonly name: string
  readonly dir: string
  readonly mark: JournalMark | undefined
  readonly maxBytes: number
  readonly log: Logger
  release(): void
}

interface Waiting {
  readonly json: string
  resolve(): void
  reject(error: unknown): void
}

/** Opens or makes the journal. Throws AppError `already_running` (another process has it), `corrupt_data`, `setup_failed`. */
export async function openJournal({ dir, log, maxBytes = JOURNAL_BYTES }: JournalOptions): Promise<Journal> {
  const name = path.join(dir, 'events.journal')
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch(error => {
    throw unusable(dir, error)
  })
  const release = owned(dir)
  try {
    const isNew = !existsSync(name)
    const file = await openFile(name)
    try {
      const { payloads, end, rest } = scan(await file.readFile())
      if (rest === 'corrupt') throw corrupt(name, `after ${payloads.length} intact frames, at byte ${end}`)
      if (rest === 'torn') {
        const { size } = await file.stat()
        log.warn(
          { journal: name, bytes: size - end, kept: payloads.length },
          'the end of the journal was being written when the node died; nobody was answered for it, and it is cut off',
        )
        await file.truncate(end)
        await file.datasync()
      }
      const found = payloads.flatMap((payload, index) => {
        const entries = parseEntries(payload)
        if (entries === undefined) throw corrupt(name, `frame ${index + 1} holds no entries`)
        return entries
      })
      // A mark without its journal: what that held is lost.
      const mark = isNew ? undefined : await readMark(dir)
      return new FileJournal(file, { name, dir, mark, maxBytes, found, bytes: end, release, log })
    } catch (error) {
      await file.close()
      throw error
    }
  } catch (error) {
    release()
    throw error
  }
}

function owned(dir: string): () => void {
  try {
    return takeOwnership(path.join(dir, 'journal.lock'))
  } catch (error) {
    throw error instanceof AppError ? error : unusable(dir, error)
  }
}

/** Where its name is new, the name is synced too: a file that is gone after a power cut would take the entries with it. */
async function openFile(name: string): Promise<FileHandle> {
  try {
    const file = await open(name, 'a+', 0o600)
    const dir = await open(path.dirname(name), 'r')
    await dir.sync().finally(() => dir.close())
    return file
  } catch (error) {
    throw unusable(path.dirname(name), error)
  }
}

class FileJournal implements Journal {
  readonly id: string
  readonly mark: JournalMark | undefined
  readonly found: readonly JournalEntry[]
  readonly #file: FileHandle
  readonly #options: FileOptions
  readonly #open = new Set<string>()
  #waiting: Waiting[] = []
  #bytes: number
  /** Bytes of the file and of what waits to be written. */
  #planned: number
  #running: Promise<void> | undefined
  #broken: unknown
  #closed = false
  /** Of the start that writes, with its latest stamp. */
  #last: Pick<JournalMark, 'incarnation' | 'clock'> | undefined

  constructor(
    file: FileHandle,
    options: FileOptions & { readonly found: readonly JournalEntry[]; readonly bytes: number },
  ) {
    this.#file = file
    this.#options = options
    this.found = options.found
    this.mark = options.mark
    this.id = options.mark?.journal ?? newJournalId()
    this.#bytes = options.bytes
    this.#planned = options.bytes
    for (const entry of options.found) this.#open.add(keyOf(entry))
  }

  get pending(): number {
    return this.#open.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get failure(): string | undefined {
    if (this.#broken === undefined) return undefined
    return `the journal ${this.#options.name} cannot be written (${(this.#broken as Error).message}); make the disk writable and start the node again`
  }

  async begin(incarnation: number, clock: string): Promise<void> {
    const { dir } = this.#options
    this.#last = { incarnation, clock }
    await writeMark(dir, { journal: this.id, ...this.#last }).catch(error => {
      throw unusable(dir, error)
    })
  }

  write(entries: readonly JournalEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed)
        throw new AppError('shutting_down', 'The node is stopping. The command was not taken; send it again later.')
      if (this.#broken !== undefined) throw diskFailed(this.#options.name, this.#broken)
      const json = entries.map(entry => JSON.stringify(entry)).join()
      const bytes = HEADER_BYTES + 2 + Buffer.byteLength(json)
      if (this.#planned + bytes > this.#options.maxBytes)
        throw new AppError(
          'overloaded',
          `Postgres is away and the journal of this node is full (${this.#bytes} bytes). What it holds is safe. ` +
            'This command was not taken; send it again when Postgres is back.',
        )
      this.#planned += bytes
      for (const entry of entries) {
        this.#open.add(keyOf(entry))
        if (this.#last !== undefined && entry.clock > this.#last.clock)
          this.#last = { ...this.#last, clock: entry.clock }
      }
      this.#waiting.push({
        json,
        resolve,
        reject: error => {
          for (const entry of entries) this.#open.delete(keyOf(entry))
          reject(error)
        },
      })
      this.#running ??= this.#run()
    })
  }

  settle(entry: JournalEntry): void {
    this.#open.delete(keyOf(entry))
    if (this.#open.size === 0 && this.#bytes > 0) this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#running
    await this.#file.close()
    this.#options.release()
  }

  /** One write and one sync for all that wait; what comes meanwhile waits for the next. */
  async #run(): Promise<void> {
    await undefined
    while (this.#waiting.length > 0 || (this.#open.size === 0 && this.#bytes > 0 && this.#broken === undefined)) {
      const batch = this.#waiting.splice(0)
      try {
        if (this.#broken !== undefined) throw this.#broken
        if (batch.length === 0) await this.#empty()
        else await this.#commit(batch)
      } catch (error) {
        // What the disk holds after a failed sync is unknown: nothing is promised on it any more.
        this.#broken ??= error
        this.#options.log.error({ journal: this.#options.name, error: String(error) }, 'the journal cannot be written')
        for (const { reject } of batch) reject(diskFailed(this.#options.name, error))
      }
    }
    this.#running = undefined
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const bytes = frame(Buffer.from(`[${batch.map(({ json }) => json).join()}]`))
    await this.#file.appendFile(bytes)
    faultPoint('journal.written')
    await this.#file.datasync()
    faultPoint('journal.synced')
    this.#bytes += bytes.length
    for (const { resolve } of batch) resolve()
  }

  async #empty(): Promise<void> {
    // Before the stamps in it go: the next start has to begin after them.
    if (this.#last !== undefined) await writeMark(this.#options.dir, { journal: this.id, ...this.#last })
    await this.#file.truncate(0)
    await this.#file.datasync()
    this.#planned -= this.#bytes
    this.#bytes = 0
    if (this.#waiting.length === 0) this.#planned = 0
  }
}

function keyOf({ incarnation, n }: JournalEntry): string {
  return `${incarnation}.${n}`
}

function unusable(dir: string, cause: unknown): AppError {
  return new AppError(
    'setup_failed',
    `The journal directory ${dir} cannot be used (${(cause as Error).message}). Nothing was changed. Make it writable, or set ROOTSTREAM_HOME to a directory that is.`,
    { cause },
  )
}

function corrupt(name: string, where: string): AppError {
  return new AppError(
    'corrupt_data',
    `The journal ${name} is damaged ${where}, so accepted commands in it cannot all be read. Nothing was changed. ` +
      'Restore the file from a copy of this disk; or, to give up what it holds, move it away and start the node again.',
  )
}

function diskFailed(name: string, cause: unknown): AppError {
  return new AppError(
    'log_unavailable',
    `Postgres is away and the journal ${name} cannot be written. What was acknowledged is safe; make the disk writable, ` +
      'start the node again and retry with the same command id.',
    { cause },
  )
}
