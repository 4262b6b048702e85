/** Users of a 24.2 database: their rows are sealed as they are imported, and erased like any other's. */
import { expect, onTestFinished, test } from 'vitest'
import { createNode } from '../../src/app.ts'
import { migrate } from '../../src/eventstore/migrate.ts'
import { createPool, query } from '../../src/eventstore/pool.ts'
import { importLegacy } from '../../src/legacy/import-legacy.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseText } from '../support/database-text.ts'
import { populateLegacyDatabase } from '../support/legacy-database.ts'
import { TEST_KEYS } from '../support/test-keys.ts'

test('an imported user', { timeout: 60_000 }, async () => {
  const database = await createTestDatabase({ empty: true })
  onTestFinished(() => database.drop())
  const { url } = database
  await populateLegacyDatabase(url, { users: 5 })
  await migrate({ url })
  const pool = createPool({ url, log: silentLogger, size: 4 })
  onTestFinished(() => pool.end())
  const node = await createNode({ database: url, keys: TEST_KEYS, log: silentLogger })
  onTestFinished(() => node.close())
  await importLegacy({ pool, entities, clock: systemClock, store: node.log })
  await node.projections.caughtUp()
  const [row] = await query<{ id: number }>(pool, { text: "select id from users where username = 'user-3'" })
  const id = row?.id ?? 0
  expect((await node.actor('user', id).state()).context).toMatchObject({ row: { email: 'user-3@example.org' } })
  expect(await databaseText(url, ['users'])).toContain('user-3@example.org')
  const written = await databaseText(url, ['events'])
  expect(written).toContain('user.imported')
  for (const mark of ['user-3@example.org', 'hash-3', 'User 3']) expect(written).not.toContain(mark)

  expect(await node.accounts.administration.erase(id)).toMatchObject({ ok: true, done: true, rewritten: 0 })
  await node.projections.caughtUp()
  await rebuild({ store: node.log, pool, entities, log: silentLogger })
  const left = await databaseText(url, ['events', 'users', 'sessions', 'claims', 'actor_snapshots'])
  expect(left).toContain('user-4@example.org')
  for (const mark of ['user-3@example.org', 'hash-3', 'User 3']) expect(left).not.toContain(mark)
})
