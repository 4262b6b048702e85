/** Personal data that was accepted while the log was away, contested, and brought there: sealed, and erased with the rest. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkHistory } from '../../src/actors/replay.ts'
import { createPool } from '../../src/eventstore/pool.ts'
import { createInProcessHub } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities } from '../../src/machines/index.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { accepted, openSession, outageStage, registerUser, tentative } from '../journal/outage-stage.ts'
import { databaseText } from '../support/database-text.ts'

const marked = (text: string) =>
  text.split('\n').filter(line => line.includes('canary') || line.includes('198.51.100.'))

test('conflicts, origins and the journal keep nothing', { timeout: 120_000 }, async () => {
  const { start, url } = await outageStage({ onTestFinished })
  const hub = createInProcessHub()
  const { node, link, healed, home } = await start('a', { hub })
  const { node: other } = await start('b', { hub })
  const ada = await registerUser(node, 'ada')
  const session = await openSession(node, ada, 'token')
  // The other copy is in memory, too.
  await other.actor('user', ada).state()
  link.cut()
  tentative(await node.actor('user', ada).send({ type: 'user.updated', displayName: 'canary cut off' }))
  tentative(await node.actor('session', session).send({ type: 'session.touched', ipAddress: '198.51.100.1' }))
  tentative(await node.actor('user', ada).send({ type: 'user.deactivated', reason: 'canary asked' }))
  const journal = () =>
    readdirSync(path.join(home, 'journal')).map(name => readFileSync(path.join(home, 'journal', name), 'latin1'))
  expect(journal().join()).toContain('canary')
  accepted(await other.actor('user', ada).send({ type: 'user.updated', displayName: 'canary in the log' }))
  accepted(await other.actor('user', ada).send({ type: 'user.deactivated', reason: 'canary asked there' }))
  link.mend()
  await healed()

  await other.projections.caughtUp()
  expect(marked(await databaseText(url, ['events', 'timers', 'actor_snapshots']))).toEqual([])
  expect(marked(await databaseText(url, ['conflicts']))).not.toEqual([])
  const pool = createPool({ url, log: silentLogger, size: 2 })
  try {
    expect((await pool.query('select count(*)::int as n from events where origin is not null')).rows).not.toEqual([
      { n: 0 },
    ])
    expect((await pool.query('select distinct subject from conflicts')).rows).toEqual([{ subject: ada }])
    expect(marked(journal().join('\n'))).toEqual([])

    expect(await other.accounts.administration.erase(ada)).toMatchObject({ ok: true, done: true })
    await other.projections.caughtUp()
    expect(marked(await databaseText(url))).toEqual([])
    expect(marked(JSON.stringify(await node.log.readAll(0, 1_000), null, 1))).toEqual([])
    const [conflict] = await other.log.listActors('conflict', 0, 10)
    expect(await node.actor('conflict', conflict?.id ?? 0).state()).toMatchObject({
      state: 'settled',
      context: { row: { loser: {}, subject: ada } },
    })
    expect(await checkHistory({ store: node.log, entities })).toMatchObject({ drifted: 0, wrongSnapshots: [] })
    const { tables } = await rebuild({ store: node.log, pool, entities, log: silentLogger, verifyOnly: true })
    expect(tables.filter(({ missing, extra, different }) => missing + extra + different > 0)).toEqual([])
  } finally {
    await pool.end()
  }
})

test('what a cut-off node took of a user who was erased meanwhile is written as erased', {
  timeout: 120_000,
}, async () => {
  const { start, url } = await outageStage({ onTestFinished })
  const { node, link, healed } = await start('a')
  const { node: other } = await start('b')
  const ada = await registerUser(node, 'ada')
  const session = await openSession(node, ada, 'token')
  link.cut()
  const change = { type: 'user.updated', displayName: 'canary cut off' }
  tentative(await node.actor('user', ada).send(change, { commandId: 'cut-off' }))
  tentative(await node.actor('session', session).send({ type: 'session.touched', ipAddress: '198.51.100.1' }))
  expect(await other.accounts.administration.erase(ada)).toMatchObject({ ok: true, done: true })
  link.mend()
  await healed()
  await other.projections.caughtUp()
  // Of the profile the log kept nothing; of the session, that it was over.
  const conflicts = await other.log.listActors('conflict', 0, 10)
  expect(conflicts).toHaveLength(2)
  for (const { id } of conflicts)
    expect((await node.actor('conflict', id).state()).context).toMatchObject({ row: { subject: ada, loser: {} } })
  expect(marked(await databaseText(url))).toEqual([])
  // It is the command that was taken, wherever it is sent again, though nothing of it is left to compare.
  for (const asked of [node, other])
    expect(await asked.actor('user', ada).send(change, { commandId: 'cut-off' })).toMatchObject({
      ok: true,
      repeated: true,
    })
  const another = { type: 'user.deactivated', reason: 'another' }
  await expect(node.actor('user', ada).send(another, { commandId: 'cut-off' })).rejects.toMatchObject({
    code: 'command_id_reused',
  })
})
