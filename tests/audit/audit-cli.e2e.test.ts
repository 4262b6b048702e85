/** `rootstream audit seal`, `verify` and `export-seals` as an operator uses them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCli } from '../support/cli-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

let database: TestDatabase
let client: pg.Client
let folder: string
beforeEach(async () => {
  folder = await temporaryFolder('audit')
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await database.drop()
  await rm(folder, { recursive: true, force: true })
})

const environment = () => ({ DATABASE_URL: database.url, REDIS_URL: '', ROOTSTREAM_HOME: path.join(folder, 'home') })
const cli = (...args: string[]) => runCli(['audit', ...args], environment())
const json = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as Record<string, unknown>

const insertEvents = (count: number) =>
  client.query(
    `insert into events (actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n)
    select 'note', nextval(pg_get_serial_sequence('events', 'position')), 1, 'note.taken', 1, jsonb_build_object('n', g), 'taken', now(), 'test', 1, g
    from generate_series(1, $1::int) g`,
    [count],
  )

test('sealed, exported, verified; tampered with and sealed anew, only the file tells', async () => {
  await insertEvents(25)
  expect(json(await cli('verify', '--json'))).toMatchObject({ ok: true, seals: 0, unsealed: 25 })
  const sealed = json(await cli('seal', '--json'))
  expect(sealed).toMatchObject({ seals: 1, events: 25, last: 1 })
  await insertEvents(5)
  expect((await cli('seal')).stdout).toContain('5 events sealed, in 1 seals')
  const file = path.join(folder, 'seals.jsonl')
  await writeFile(file, (await cli('export-seals')).stdout)
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines.map(line => JSON.parse(line))).toMatchObject([{ number: 1, hash: sealed['hash'] }, { number: 2 }])
  expect((await cli('export-seals', '--after', '1')).stdout).toBe(`${lines[1]}\n`)
  expect((await cli('export-seals', '--since', '2999-01-01T00:00:00Z')).stdout).toBe('')
  const intact = await cli('verify', '--seals', file)
  expect([intact.code, intact.stdout]).toEqual([0, expect.stringContaining('30 events')])

  await client.query(
    "set session_replication_role = replica; update events set data = '{}' where position = (select min(position) from events)",
  )
  const changed = await cli('verify', '--json')
  expect(changed.code).toBe(14)
  expect(json(changed)).toMatchObject({ ok: false, findings: [{ kind: 'event_changed', seal: 1 }] })
  expect((await cli('verify')).stdout).toMatch(/^event_changed: Seal 1 /)

  await client.query('delete from audit_seals')
  await cli('seal')
  expect((await cli('verify')).code).toBe(0)
  const told = await cli('verify', '--seals', file, '--json')
  expect([told.code, json(told)['findings']]).toMatchObject([
    14,
    [{ kind: 'event_changed', seal: 1, exported: true }, {}],
  ])
  await writeFile(file, `${lines.join('\n')}\n${(await cli('export-seals')).stdout}`)
  const twice = await cli('verify', '--seals', file, '--json')
  expect([twice.code, twice.stderr]).toEqual([14, expect.stringContaining('audit_broken')])
})

test('a file that is none is told apart from a broken log', async () => {
  await insertEvents(1)
  await cli('seal')
  const file = path.join(folder, 'seals.jsonl')
  const line = (await cli('export-seals')).stdout
  for (const content of ['', 'no seal\n', line.replace('"events":1', '"events":2'), 'x'.repeat(100_000)]) {
    await writeFile(file, content)
    const result = await cli('verify', '--seals', file, '--json')
    expect([result.code, result.stderr]).toEqual([2, expect.stringContaining('invalid_input')])
  }
  expect((await cli('verify', '--seals', path.join(folder, 'none'))).code).toBe(2)
  expect((await cli('--type', 'note.taken', '--limit', '1', '--json')).stdout).toContain('note.taken')
})

test('doctor says when nobody seals, and when the log lost its sealed end', async () => {
  const seals = async () => {
    const { stdout } = await runCli(['doctor', '--json'], environment())
    return (JSON.parse(stdout) as { check: string; verdict: string }[]).find(({ check }) => check === 'seals')?.verdict
  }
  await insertEvents(3)
  expect(await seals()).toBe('ok')
  await client.query("set rootstream.rewrite_history = 'on'; update events set at = now() - interval '1 hour'")
  expect(await seals()).toBe('warn')
  await cli('seal')
  expect(await seals()).toBe('ok')
  await client.query('delete from events where position = (select max(position) from events)')
  expect(await seals()).toBe('fail')
  expect((await cli('seal')).code).toBe(14)
})

test('a sealer killed at its work leaves a whole chain, and the next goes on', async () => {
  await insertEvents(60_000)
  const child = spawn(process.execPath, [MAIN, 'audit', 'seal'], {
    env: { ...process.env, ...environment() },
    stdio: 'ignore',
  })
  const closed = once(child, 'close')
  const seals = async () => Number((await client.query('select count(*) as seals from audit_seals')).rows[0].seals)
  while ((await seals()) < 5) expect(child.exitCode).toBeNull()
  child.kill('SIGKILL')
  await closed
  const before = await seals()
  expect(before).toBeLessThan(60)
  expect(json(await cli('verify', '--json'))).toMatchObject({ ok: true, seals: before })
  expect(json(await cli('seal', '--json'))).toMatchObject({ seals: 60 - before, last: 60 })
  expect(json(await cli('verify', '--json'))).toMatchObject({ ok: true, seals: 60, events: 60_000, unsealed: 0 })
})
