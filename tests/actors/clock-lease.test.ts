/** Where a start's clock begins, and what it makes of a log that says it is over or early. */
import { mkdir, rm, unlink } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ClockLease, floorOf } from '../../src/actors/clock-lease.ts'
import { formatHybridTime, parseHybridTime } from '../../src/core/hybrid-clock.ts'
import type { OpenStart } from '../../src/core/register.ts'
import { createMemoryEventStore, createMemoryLog, type MemoryLog } from '../../src/eventstore/memory-event-store.ts'
import { type Journal, openJournal } from '../../src/journal/journal.ts'
import { journalEntry } from '../journal/entries.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
const JOURNAL = '11111111-1111-4111-8111-111111111111'
const ANOTHER = '22222222-2222-4222-8222-222222222222'
const at = (wall: number) => formatHybridTime({ wall, counter: 0, source: 'a#1' })
const wallOf = (text: string) => parseHybridTime(text)?.wall ?? 0

describe('the floor', () => {
  const open = (changes: Partial<OpenStart> = {}): OpenStart => ({
    incarnation: 1,
    journal: JOURNAL,
    ceiling: 1_000,
    last: 0,
    ...changes,
  })
  const journal = (incarnation: number, mark: number, found: readonly number[] = []) => ({
    id: JOURNAL,
    mark: { journal: JOURNAL, incarnation, clock: at(mark) },
    found: found.map((wall, index) => journalEntry(index + 1, { incarnation, clock: at(wall) })),
  })

  test.each([
    ['nobody was before', [], journal(1, 0), 0],
    ['the journal shows the last stamp', [open()], journal(1, 300, [400, 350]), 400],
    ['another start wrote the journal since', [open()], journal(2, 300), 1_000],
    ['the journal is another', [open({ journal: ANOTHER })], journal(1, 300), 1_000],
    ['the journal is a copy from before the last renewal', [open({ last: 301 })], journal(1, 300), 1_000],
    ['a stamp in the journal lies beyond what was leased', [open()], journal(1, 300, [9_000]), 1_000],
    ['its mark is lost', [open()], { id: JOURNAL, mark: undefined, found: [] }, 1_000],
    ['of one journal the last counts', [open(), open({ incarnation: 2, ceiling: 900 })], journal(2, 300), 300],
    [
      'another journal may hold anything',
      [open({ journal: ANOTHER, ceiling: 700 }), open({ incarnation: 2 })],
      journal(2, 300),
      700,
    ],
  ])('where %s', (_, starts, of, floor) => {
    expect(floorOf(starts, of)).toBe(floor)
  })
})

describe('a lease', () => {
  let dir: string
  let memory: MemoryLog
  let wall: ManualClock
  /** The clock of the log. */
  let logs: ManualClock

  beforeEach(async () => {
    dir = await temporaryFolder('lease')
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    memory = createMemoryLog()
    wall = createManualClock()
    logs = createManualClock()
  })

  async function start(folder = 'a'): Promise<{ lease: ClockLease; journal: Journal; n: number }> {
    await mkdir(path.join(dir, folder), { recursive: true })
    const journal = await openJournal({ dir: path.join(dir, folder), log: createRecordingLog() })
    onTestFinished(() => journal.close())
    const { register, incarnation } = createMemoryEventStore({ node: 'a', clock: logs, log: memory })
    const log = createRecordingLog()
    const lease = new ClockLease({ register, journal, node: 'a', incarnation, clock: wall, log })
    await lease.keep()
    return { lease, journal, n: incarnation }
  }
  const stamp = (lease: ClockLease) => wallOf(lease.dot({ at: null }).clock)

  test('reaches an hour from the last renewal, and is renewed each minute', async () => {
    const { lease } = await start()
    for (const clock of [logs, wall]) clock.advance(2 * MINUTE)
    await lease.keep()
    expect(lease.status().ceiling).toBe(new Date(logs.now() + HOUR).toISOString())
    wall.advance(HOUR - 1)
    expect(stamp(lease)).toBe(wall.now())
    wall.advance(1)
    expect(() => lease.dot({ at: null })).toThrow(/has run out/)
    await lease.stop(true)
  })

  test('a clock that drifts away is found at a renewal, and trusted again when it is set right', async () => {
    const { lease } = await start()
    logs.advance(MINUTE)
    wall.advance(6 * MINUTE)
    expect(stamp(lease)).toBe(wall.now())
    // The first is the one that fell due a minute after the start.
    await lease.keep()
    await lease.keep()
    expect(lease.status().aheadMs).toBe(5 * MINUTE)
    expect(lease.status().refusing).toBeNull()
    logs.advance(MINUTE - 1_000)
    wall.advance(MINUTE)
    await lease.keep()
    expect(() => lease.dot({ at: null })).toThrow(/301 s ahead/)
    logs.advance(2 * MINUTE)
    wall.advance(MINUTE)
    await lease.keep()
    expect(lease.status().refusing).toBeNull()
    await lease.stop(true)
  })

  test('an entry whose time is beyond what its start had leased, or is none, goes under a new one, and is counted', async () => {
    const { lease, n } = await start()
    const entry = (clock: string) => journalEntry(5, { node: 'a', incarnation: n + 1_000, clock })
    const allowed = entry(at(wall.now() + HOUR + 5 * MINUTE))
    expect(await lease.admit(allowed)).toBe(allowed)
    for (const [index, clock] of [at(wall.now() + HOUR + 5 * MINUTE + 1), 'no time'].entries())
      expect(await lease.admit(entry(clock))).toMatchObject({
        incarnation: n,
        n: index + 1,
        salvaged: { node: 'a', incarnation: n + 1_000, n: 5 },
      })
    expect(lease.status().restamped).toBe(2)
    await lease.stop(true)
  })

  test('one whose journal was deleted beside its mark begins at the ceiling', async () => {
    const { lease, journal } = await start()
    await lease.stop(true)
    await journal.close()
    await unlink(path.join(dir, 'a', 'events.journal'))
    const next = await start()
    expect(stamp(next.lease)).toBeGreaterThanOrEqual(wall.now() + HOUR)
    await next.lease.stop(true)
  })

  test('a start that was sealed accepts nothing beside the log, and says so', async () => {
    const { lease } = await start()
    // Nothing is heard of it for longer than it said.
    logs.advance(10 * MINUTE)
    const next = await start('another folder')
    await next.lease.seal()
    wall.advance(10 * MINUTE)
    await lease.keep()
    expect(() => lease.dot({ at: null })).toThrow(/another start of a node named a/)
    expect(stamp(next.lease)).toBeGreaterThan(0)
    for (const each of [lease, next.lease]) await each.stop(true)
  })

  test('two starts of one name on two journals: neither seals the other while it lives', async () => {
    const [one, two] = [await start(), await start('another folder')]
    for (const { lease } of [one, two]) await lease.seal()
    expect(one.lease.status().refusing).toBeNull()
    expect(stamp(two.lease)).toBeGreaterThan(stamp(one.lease))
    for (const { lease } of [one, two]) await lease.stop(true)
  })

  test('nothing is given out after the stop, whose ceiling is the floor of the next', async () => {
    const { lease, journal } = await start()
    const last = stamp(lease)
    await lease.stop(false)
    expect(() => lease.dot({ at: null })).toThrow(/stopping/)
    await journal.close()
    await rm(path.join(dir, 'a'), { recursive: true })
    const next = await start()
    const first = stamp(next.lease)
    expect(first).toBeGreaterThan(last)
    expect(first).toBeLessThan(last + 10)
    await next.lease.stop(true)
  })
})
