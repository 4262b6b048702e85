/** The journal file: what was answered is there after any crash, and damage is never passed over in silence. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { frame, scan } from '../../src/journal/frames.ts'
import { type Journal, openJournal } from '../../src/journal/journal.ts'
import type { JournalEntry } from '../../src/journal/journal-entry.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually } from '../sync/eventually.ts'
import { journalEntry } from './entries.ts'

let dir: string
let file: string
let log: RecordingLog

beforeEach(async () => {
  dir = await temporaryFolder('journal')
  file = path.join(dir, 'events.journal')
  log = createRecordingLog()
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
})

const open = (maxBytes?: number): Promise<Journal> =>
  openJournal({ dir, log, ...(maxBytes === undefined ? {} : { maxBytes }) })

/** The entries that the next start finds. */
async function reopened(): Promise<readonly JournalEntry[]> {
  const journal = await open()
  await journal.close()
  return journal.found
}

test('what was written is found by the next start, in order', async () => {
  const journal = await open()
  const entries = [1, 2, 3].map(n => journalEntry(n))
  for (const entry of entries) await journal.write([entry])
  expect(journal.pending).toBe(3)
  await journal.close()
  expect(await reopened()).toEqual(entries)
})

test('entries that wait together share a frame, and one that comes later has its own', async () => {
  const journal = await open()
  await Promise.all([1, 2, 3].map(n => journal.write([journalEntry(n)])))
  await journal.write([journalEntry(4)])
  await journal.close()
  expect(
    scan(readFileSync(file)).payloads.map(payload => (JSON.parse(payload.toString()) as unknown[]).length),
  ).toEqual([3, 1])
})

test('the file is emptied when all of it is settled, not before, and goes on being used', async () => {
  const journal = await open()
  const [first, second] = [journalEntry(1), journalEntry(2)]
  await Promise.all([journal.write([first]), journal.write([second])])
  journal.settle(first)
  expect(journal).toMatchObject({ pending: 1 })
  expect(statSync(file).size).toBe(journal.bytes)
  journal.settle(second)
  const third = journalEntry(3)
  await journal.write([third])
  await journal.close()
  expect((await reopened()).at(-1)).toEqual(third)
})

test('an emptied file is empty on disk', async () => {
  const journal = await open()
  const entry = journalEntry(1)
  await journal.write([entry])
  journal.settle(entry)
  await journal.close()
  expect(statSync(file).size).toBe(0)
  expect(await reopened()).toEqual([])
})

test('a full journal refuses what does not fit, keeps what it has, and takes more when it is emptied', async () => {
  const journal = await open(1_000)
  const entries: JournalEntry[] = []
  let refusal: unknown
  for (let n = 1; refusal === undefined; n++) {
    const entry = journalEntry(n)
    await journal.write([entry]).then(
      () => entries.push(entry),
      error => {
        refusal = error
      },
    )
  }
  expect(refusal).toMatchObject({ code: 'overloaded', retryable: true })
  expect(entries.length).toBeGreaterThan(0)
  expect(statSync(file).size).toBeLessThanOrEqual(1_000)
  for (const entry of entries) journal.settle(entry)
  await journal.close()
  const again = await open(1_000)
  await again.write([journalEntry(99)])
  await again.close()
})

test('one that could not be written says so and why, and takes nothing more until the next start', async () => {
  const journal = await open()
  await journal.begin(1, journalEntry(1).clock)
  await journal.write([journalEntry(1)])
  expect(journal.failure).toBeUndefined()
  // The mark is written before the file is emptied; here it cannot be.
  mkdirSync(path.join(dir, 'journal.mark.new'))
  journal.settle(journalEntry(1))
  await eventually(() => expect(journal.failure).toMatch(/events\.journal cannot be written \(EISDIR/))
  await expect(journal.write([journalEntry(2)])).rejects.toMatchObject({ code: 'log_unavailable' })
  await journal.close()
  expect(await reopened()).toEqual([journalEntry(1)])
})

test('a folder in which no lock can be made is told as one', async () => {
  // A folder of the system, where even root can make nothing.
  await expect(openJournal({ dir: '/proc/self', log })).rejects.toMatchObject({ code: 'setup_failed' })
})

test('a second process is kept out, and the lock is given back', async () => {
  const journal = await open()
  await expect(open()).rejects.toMatchObject({ code: 'already_running' })
  await journal.close()
  await (await open()).close()
})

describe('a journal cut at every byte', () => {
  test('keeps every frame before the cut, says what was cut, and is written on', async () => {
    const journal = await open()
    const entries = [1, 2, 3].map(n => journalEntry(n))
    for (const entry of entries) await journal.write([entry])
    await journal.close()
    const whole = readFileSync(file)
    const ends = frameEnds(whole)
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(file, whole.subarray(0, cut))
      log = createRecordingLog()
      const kept = ends.filter(end => end <= cut).length
      const after = await open()
      expect(after.found, `cut at ${cut}`).toEqual(entries.slice(0, kept))
      const torn = cut - (ends[kept - 1] ?? 0)
      expect(log.lines.map(line => (line.fields as { bytes: number }).bytes)).toEqual(torn === 0 ? [] : [torn])
      expect(statSync(file).size).toBe(cut - torn)
      await after.write([journalEntry(9)])
      await after.close()
      expect(await reopened(), `written on after ${cut}`).toEqual([...entries.slice(0, kept), journalEntry(9)])
    }
  }, 60_000)

  test('pages of zeros after the last frame are a torn frame', async () => {
    const journal = await open()
    await journal.write([journalEntry(1)])
    await journal.close()
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(4_096)]))
    expect(await reopened()).toEqual([journalEntry(1)])
  })
})

describe('damage', () => {
  test('a byte changed in a frame that another follows is refused, and the file stays as it is', async () => {
    const whole = Buffer.concat([1, 2, 3].map(n => frame(Buffer.from(JSON.stringify([journalEntry(n)])))))
    const last = frameEnds(whole).at(-2) ?? 0
    for (let at = 0; at < last; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x40
      expect(scan(damaged).rest, `byte ${at}`).toBe('corrupt')
    }
    const damaged = Buffer.from(whole)
    damaged[20] = 0
    writeFileSync(file, damaged)
    await expect(open()).rejects.toMatchObject({ code: 'corrupt_data' })
    expect(readFileSync(file)).toEqual(damaged)
    // The lock was given back: a repaired file opens.
    writeFileSync(file, whole)
    expect(await reopened()).toHaveLength(3)
  })

  test('a frame that is intact and holds something else is refused', async () => {
    writeFileSync(file, frame(Buffer.from('[{"surprise":1}]')))
    await expect(open()).rejects.toMatchObject({ code: 'corrupt_data' })
  })

  test('any bytes are read to an end, and never as more than they hold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
        fc.uint8Array({ maxLength: 60 }),
        (payloads, tail) => {
          const intact = Buffer.concat(payloads.map(payload => frame(Buffer.from(payload))))
          const { payloads: read, end } = scan(Buffer.concat([intact, tail]))
          expect(read.slice(0, payloads.length).map(payload => [...payload])).toEqual(
            payloads.map(payload => [...payload]),
          )
          expect(end).toBeGreaterThanOrEqual(intact.length)
        },
      ),
    )
  })
})

function frameEnds(file: Buffer): number[] {
  let end = 0
  return scan(file).payloads.map(payload => {
    end += 16 + payload.length
    return end
  })
}
