/** The embedded Postgres: one owner, nothing left behind, recovered from everything. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runningPostgres, startPostgres } from '../../src/embedded/postgres.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let dataDir: string
beforeEach(async () => {
  folder = await temporaryFolder('embedded')
  dataDir = path.join(folder, 'postgres')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A process that ended and was not yet waited for has no command line. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test('starts, answers, stops and leaves no process; its data is there at the next start', async () => {
  const first = await startPostgres({ dataDir })
  await ask(first.url, "create table kept as select 'here' as what")
  expect(await ask(first.url, 'show timezone')).toEqual([{ TimeZone: 'UTC' }])
  expect(await ask(first.url, 'show fsync')).toEqual([{ fsync: 'on' }])
  await first.stop()
  await first.stop()
  expect(isRunning(first.pid)).toBe(false)
  expect(existsSync(`${dataDir}.lock`)).toBe(false)
  const second = await startPostgres({ dataDir })
  expect(await ask(second.url, 'select what from kept')).toEqual([{ what: 'here' }])
  await second.stop()
})

test('listens on loopback only, with a password that only its owner can read, and not as root', async () => {
  const server = await startPostgres({ dataDir })
  try {
    expect(await ask(server.url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    expect((await stat(`${dataDir}.password`)).mode & 0o777).toBe(0o600)
    const without = new URL(server.url)
    without.password = 'wrong'
    await expect(ask(without.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
    const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]
    expect(uid).not.toBe('0')
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(
      (await readFile(`${dataDir}.password`, 'utf8')).trim(),
    )
  } finally {
    await server.stop()
  }
})

test('a second owner is refused while the first lives, and told who it is', async () => {
  const server = await startPostgres({ dataDir })
  try {
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: 'already_running',
      message: expect.stringContaining(String(process.pid)),
    })
    expect((await runningPostgres(dataDir))?.url).toBe(server.url)
  } finally {
    await server.stop()
  }
  expect(await runningPostgres(dataDir)).toBeUndefined()
})

test('what a killed owner left is stopped and recovered', async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(path.resolve('src/embedded/postgres.ts'))}
    const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    console.log(JSON.stringify({ url: server.url, pid: server.pid }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const orphan = JSON.parse(line.toString()) as { url: string; pid: number }
  await ask(orphan.url, "create table kept as select 'here' as what")
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isRunning(orphan.pid)).toBe(true)
  const server = await startPostgres({ dataDir })
  expect(isRunning(orphan.pid)).toBe(false)
  expect(await ask(server.url, 'select what from kept')).toEqual([{ what: 'here' }])
  await server.stop()
})

test('a start that was interrupted while it made the cluster is done again', async () => {
  await mkdir(`${dataDir}.new`, { recursive: true })
  await writeFile(path.join(`${dataDir}.new`, 'PG_VERSION'), '18')
  await writeFile(`${dataDir}.lock`, '{"pid": 1')
  const server = await startPostgres({ dataDir })
  expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }])
  await server.stop()
})

test('a lock of a process that is gone, or of another program with its pid, is taken over', async () => {
  await writeFile(`${dataDir}.lock`, JSON.stringify({ pid: process.pid, started: '1' }))
  const server = await startPostgres({ dataDir })
  await server.stop()
})

test('settings that the server refuses are told with its own words', async () => {
  await expect(startPostgres({ dataDir, settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('shared_buffers'),
  })
  expect(existsSync(`${dataDir}.lock`)).toBe(false)
})
