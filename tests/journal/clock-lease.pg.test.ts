/** Clocks that are wrong, disks that are lost and starts that are over, on a real log. */
import { cp, rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parseHybridTime } from '../../src/core/hybrid-clock.ts'
import { openJournal } from '../../src/journal/journal.ts'
import type { JournalEntry } from '../../src/journal/journal-entry.ts'
import { silentLogger } from '../../src/logging.ts'
import { eventually } from '../sync/eventually.ts'
import { type LeaseStage, leaseStage, type PlantedFault, type Start } from './lease-stage.ts'
import { tentative } from './outage-stage.ts'

const MINUTE = 60_000
const PICTURE = 'https://example.org/ada'
const wallOf = (clock: string | undefined) => parseHybridTime(clock ?? '')?.wall ?? 0

/**
 * A start whose clock is minutes ahead accepts a name and dies; its disk is put aside. The next start, with a right clock,
 * accepts another name. Then the old disk is found again.
 * @param silent the second starts when nothing was heard of the first for so long that it counts as over
 */
async function lostAndFound({ fault, silent = false }: { fault?: PlantedFault; silent?: boolean } = {}) {
  const stage = await leaseStage(fault)
  const { folder, start, entries } = stage
  const first = await start({ skewMs: 4 * MINUTE })
  first.cut()
  tentative(await first.rename('before the loss', { avatarUrl: PICTURE }))
  await first.crash()
  if (silent) await stage.outlive()
  const found = `${folder}.found`
  await cp(folder, found, { recursive: true })
  await rm(folder, { recursive: true })
  const lost = await entries(found)

  const second = await start()
  second.cut()
  tentative(await second.rename('after the loss'))
  await second.heal()
  const [kept] = (await second.log.history()).filter(event => event.origin !== undefined)
  return { stage, found, first, second, lost, kept }
}

/** The events that set the picture which the lost start had accepted with the name. */
async function pictures({ log }: Start) {
  return (await log.history()).filter(event => event.data.avatarUrl === PICTURE)
}

/** Puts the old journal where the node finds it at its next start. */
async function putBack({ folder, start }: LeaseStage, found: string) {
  await rm(folder, { recursive: true })
  await cp(found, folder, { recursive: true })
  return start()
}

describe('a disk that is lost', { timeout: 60_000 }, () => {
  test('nothing accepted afterwards is earlier than what was on it', async () => {
    const { lost, kept } = await lostAndFound()
    expect(lost).toHaveLength(1)
    expect((kept?.origin?.clock ?? '') > (lost[0]?.clock ?? '')).toBe(true)
  })

  test('and found while its start may still live: the later write wins', async () => {
    const { stage, found, second } = await lostAndFound()
    await second.stop()
    const third = await putBack(stage, found)
    expect(await third.name()).toBe('after the loss')
    expect(await third.log.conflicts()).toBe(1)
  })

  test('planted: a clock that restarts from the wall clock is found by both', async () => {
    const { stage, found, second, lost, kept } = await lostAndFound({ fault: 'the clock restarts from the wall clock' })
    expect((kept?.origin?.clock ?? '') > (lost[0]?.clock ?? '')).toBe(false)
    await second.stop()
    const third = await putBack(stage, found)
    expect(await third.name()).toBe('before the loss')
  })

  test('and found when its start is sealed: goes to the log once, under a dot and a time of the present start', async () => {
    const { stage, found, first, second, lost } = await lostAndFound({ silent: true })
    await second.stop()
    let salvagedBy: number | undefined
    for (let time = 1; time <= 2; time++) {
      const next = await putBack(stage, found)
      salvagedBy ??= next.incarnation
      expect(next.actors.outage()).toMatchObject({ pending: 0, clock: { restamped: 1 } })
      const [salvaged, ...more] = await pictures(next)
      expect(more).toEqual([])
      expect(salvaged).toMatchObject({
        commandId: `journal:a:${first.incarnation}:1`,
        origin: { node: 'a', incarnation: salvagedBy, n: 1 },
      })
      expect((salvaged?.origin?.clock ?? '') > (lost[0]?.clock ?? '')).toBe(true)
      await next.stop()
    }
  })

  test('planted: a start that is dead and not sealed still writes', async () => {
    const { stage, found, first, second } = await lostAndFound({ silent: true, fault: 'dead starts are not sealed' })
    await second.stop()
    const next = await putBack(stage, found)
    expect((await pictures(next)).map(event => event.origin?.incarnation)).toEqual([first.incarnation])
  })
})

describe('a start that follows on another', { timeout: 60_000 }, () => {
  test('begins where the one before ended, where its journal shows that', async () => {
    const { start, entries } = await leaseStage()
    const first = await start()
    first.cut()
    tentative(await first.rename('one'))
    await first.crash()
    const [before] = await entries()
    const second = await start()
    second.cut()
    tentative(await second.rename('two'))
    await second.crash()
    const [after] = await entries()
    expect((after?.clock ?? '') > (before?.clock ?? '')).toBe(true)
    expect(wallOf(after?.clock)).toBeLessThan(Date.now() + MINUTE)
  })

  test('the same where the journal was emptied before the crash', async () => {
    const { start, entries } = await leaseStage()
    const first = await start()
    first.cut()
    tentative(await first.rename('one'))
    await first.heal()
    await first.crash()
    const second = await start()
    second.cut()
    tentative(await second.rename('two'))
    await second.crash()
    expect(wallOf((await entries())[0]?.clock)).toBeLessThan(Date.now() + MINUTE)
  })

  test('a clean stop gives the rest of the lease back, whatever becomes of the disk then', async () => {
    const { start, folder, entries } = await leaseStage()
    const first = await start()
    first.cut()
    tentative(await first.rename('one'))
    await first.heal()
    const [last] = (await first.log.history()).flatMap(event => event.origin?.clock ?? [])
    await first.stop()
    await rm(folder, { recursive: true })
    const second = await start()
    second.cut()
    tentative(await second.rename('two'))
    await second.crash()
    const [after] = await entries()
    expect((after?.clock ?? '') > (last ?? '')).toBe(true)
    expect(wallOf(after?.clock)).toBeLessThan(Date.now() + MINUTE)
  })
})

describe('a clock that is wrong', { timeout: 60_000 }, () => {
  test('an hour ahead: nothing is accepted beside the log, and what the log orders goes on', async () => {
    const { start } = await leaseStage()
    const right = await start()
    right.cut()
    tentative(await right.rename('one'))
    await right.crash()
    const ahead = await start({ skewMs: 60 * MINUTE })
    // What waited is brought to the log all the same.
    expect(await ahead.name()).toBe('one')
    const { clock } = ahead.actors.outage() ?? {}
    expect(clock?.refusing).toContain('ahead of that of Postgres')
    expect(clock?.aheadMs).toBeGreaterThan(59 * MINUTE)
    expect(await ahead.rename('two')).toMatchObject({ ok: true, event: { version: 3 } })
    ahead.cut()
    await expect(ahead.rename('three')).rejects.toMatchObject({
      code: 'log_unavailable',
      retryable: true,
      message: expect.stringContaining('ahead of that of Postgres'),
    })
    await ahead.heal()
    expect(await ahead.name()).toBe('two')
  })

  test('minutes ahead or behind: it accepts, and what is later in fact may lose, but all nodes agree', async () => {
    const { start } = await leaseStage()
    const ahead = await start({ node: 'a', skewMs: 4 * MINUTE })
    const behind = await start({ node: 'b', skewMs: -30 * MINUTE })
    ahead.cut()
    behind.cut()
    tentative(await ahead.rename('of the one ahead'))
    tentative(await behind.rename('of the one behind'))
    await behind.heal()
    await ahead.heal()
    expect(await ahead.name()).toBe('of the one ahead')
    expect(await behind.name()).toBe('of the one ahead')
    // Whoever has seen that writes later, though its clock says otherwise.
    behind.cut()
    tentative(await behind.rename('of the one that knew'))
    await behind.heal()
    const [, , last] = (await behind.log.history()).flatMap(event => event.origin?.clock ?? [])
    const clocks = (await behind.log.history()).flatMap(event => event.origin?.clock ?? [])
    expect(last).toBe(clocks.toSorted().at(-1))
  })

  test('an outage longer than the lease: a word to come back, and nothing beyond the ceiling', async () => {
    const { start } = await leaseStage()
    const node = await start({ leaseMs: 500 })
    node.cut()
    let taken = 0
    let refusal: unknown
    await eventually(async () => {
      await node.rename(`${taken}`).then(
        () => taken++,
        error => {
          refusal = error
        },
      )
      if (refusal === undefined) throw new Error('still taken')
    })
    expect(refusal).toMatchObject({ code: 'log_unavailable', message: expect.stringContaining('has run out') })
    const ceiling = Date.parse(node.actors.outage()?.clock.ceiling ?? '')
    await node.heal()
    for (const { origin } of await node.log.history())
      if (origin !== undefined) expect(wallOf(origin.clock)).toBeLessThan(ceiling)
    expect(await node.rename('after it')).toMatchObject({ ok: true })
  })
})

test('a start that was cut off and sealed meanwhile keeps what it accepted, for its next start', {
  timeout: 60_000,
}, async () => {
  const stage = await leaseStage()
  const cutOff = await stage.start()
  cutOff.cut()
  tentative(await cutOff.rename('from the one cut off', { avatarUrl: PICTURE }))
  await stage.outlive()
  const place = await stage.start({ folder: `${stage.folder}.place` })
  expect(await place.rename('from the one in its place')).toMatchObject({ ok: true })

  cutOff.mend()
  await eventually(async () => expect(cutOff.actors.outage()).toMatchObject({ away: false, stuck: 'user/1' }))
  expect(cutOff.actors.outage()).toMatchObject({
    pending: 1,
    clock: { refusing: expect.stringContaining('has taken the place') },
  })
  expect(await pictures(place)).toEqual([])
  await cutOff.stop()

  const next = await stage.start()
  expect(next.actors.outage()).toMatchObject({ pending: 0, clock: { restamped: 1, refusing: null } })
  expect((await pictures(next)).map(event => event.origin?.incarnation)).toEqual([next.incarnation])
  // The one in its place still lives, on a journal of its own, and goes on.
  place.cut()
  tentative(await place.rename('from the one in its place, again'))
  await place.heal()
  // Neither knew of the other; what is salvaged counts as written at the salvage, above all that the other had leased.
  for (const node of [place, next]) expect(await node.name()).toBe('from the one cut off')
})

describe('entries of two starts in one journal', { timeout: 60_000 }, () => {
  test('are each other’s past, in the order of the file, also when a crash comes between them', async () => {
    const { start, folder, entries } = await leaseStage()
    const first = await start()
    first.cut()
    tentative(await first.rename('one'))
    await first.crash()
    const [one] = await entries()
    if (one === undefined) throw new Error('nothing was accepted')
    const two = { ...one, incarnation: one.incarnation + 1_000, data: { displayName: 'two' } }
    const append = async (list: readonly JournalEntry[]) => {
      const journal = await openJournal({ dir: folder, log: silentLogger })
      for (const entry of list) await journal.write([entry])
      await journal.close()
    }
    // The second is later in the journal, and its clock does not show it.
    await append([two])
    const second = await start()
    expect(await second.name()).toBe('two')
    expect(await second.log.conflicts()).toBe(0)
    await second.stop()
    // Two are in the log, the third is not: as after a crash between them.
    await append([one, two, { ...two, n: 2, data: { displayName: 'three' } }])
    const third = await start()
    expect(await third.name()).toBe('three')
    expect((await third.log.history()).map(({ data }) => data.displayName)).toEqual([undefined, 'one', 'two', 'three'])
  })
})
