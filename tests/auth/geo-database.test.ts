/** The database of places: read again when it changes, never in the way of a request. */
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createGeoDatabase } from '../../src/auth/geo-database.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const CITIES = path.resolve(import.meta.dirname, '../fixtures/geo/GeoIP2-City-Test.mmdb')

async function started() {
  const folder = await temporaryFolder('geo')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'places.mmdb')
  await copyFile(CITIES, file)
  const log = createRecordingLog()
  const database = createGeoDatabase({ file, clock: createManualClock(), log })
  onTestFinished(() => database.stop())
  return { database, file, log }
}

test('says city and country, and nothing of what is no address', async () => {
  const { database } = await started()
  await database.start()
  expect(database.placeOf('81.2.69.142')).toBe('London, GB')
  expect(database.placeOf('2001:218::1')).toBe('JP')
  for (const nothing of ['192.0.2.1', '81.2.69.142/24', '81.2.69', 'unknown', '', 'fe80::1%eth0', '::ffff:x', '\0'])
    expect(database.placeOf(nothing), nothing).toBeUndefined()
})

test('is read again when the file changes, and kept when the new one is broken or gone', async () => {
  const { database, file, log } = await started()
  await database.start()
  await writeFile(`${file}.new`, 'no database')
  await rename(`${file}.new`, file)
  await database.reload()
  expect(database.placeOf('81.2.69.142')).toBe('London, GB')
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  await rm(file)
  await database.reload()
  expect(database.placeOf('81.2.69.142')).toBe('London, GB')
  // London by another name of the same length: the rest of the file stays as it is.
  const changed = (await readFile(CITIES)).toString('latin1').replaceAll('London', 'Lundun')
  await writeFile(file, Buffer.from(changed, 'latin1'))
  await database.reload()
  expect(database.placeOf('81.2.69.142')).toBe('Lundun, GB')
})

test('that is no database keeps the node from starting, with a word what to do', async () => {
  const { database, file } = await started()
  await writeFile(file, 'no database')
  await expect(database.start()).rejects.toMatchObject({ code: 'invalid_input' })
  await rm(file)
  await expect(database.start()).rejects.toMatchObject({ code: 'invalid_input' })
})
