/** The key that the nodes of one log share. */
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { readFrameKey } from '../../src/eventstore/frame-key.ts'
import { createPool, query } from '../../src/eventstore/pool.ts'
import { silentLogger } from '../../src/logging.ts'
import { createTestDatabase } from '../support/database.ts'

test('every node reads the same key, and printing it shows nothing', async () => {
  const database = await createTestDatabase()
  const pool = createPool({ url: database.url, log: silentLogger })
  onTestFinished(async () => {
    await pool.end()
    await database.drop()
  })
  const key = await readFrameKey(pool)
  expect(key.equals(await readFrameKey(pool))).toBe(true)
  const secret = key.export().toString()
  expect(secret).toHaveLength(72)
  expect(`${JSON.stringify({ key })}${inspect(key, { depth: 9, showHidden: true })}`).not.toContain(secret)
  const grants = await query(pool, {
    text: "select grantee from information_schema.role_table_grants where table_name = 'frame_key' and grantee = 'PUBLIC'",
  })
  expect(grants).toEqual([])
})
