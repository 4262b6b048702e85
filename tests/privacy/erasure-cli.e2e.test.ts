/** `rootstream users erase`, as an operator runs it, and what the other commands say afterwards. */
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { runCli } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseText } from '../support/database-text.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('asks before it does, tells what it did, and leaves a log that every command takes', async () => {
  const database = await createTestDatabase()
  const folder = await temporaryFolder('erase-cli')
  const cli = (...args: string[]) =>
    runCli([...args, '--json'], { DATABASE_URL: database.url, REDIS_URL: '', ROOTSTREAM_HOME: folder })
  const ended = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli(...args)
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout) as unknown
  }
  try {
    const user = '{"username":"canary","email":"canary@example.org","passwordHash":"canary-hash"}'
    await ended('actors', 'send', 'user', 'user.registered', user)
    expect(await cli('users', 'erase', '1')).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    expect(await cli('users', 'erase', '2', '--yes')).toMatchObject({ code: 4 })
    expect(await databaseText(database.url)).toContain('canary')

    const erased = await ended('users', 'erase', '1', '--yes', '--user', '7')
    expect(erased).toEqual({ userId: 1, done: true, rewritten: 0 })
    expect(await ended('users', 'erase', '1', '--yes')).toEqual(erased)
    expect(await databaseText(database.url)).not.toContain('canary')
    expect(JSON.stringify(await ended('replay', 'user/1'))).toContain('"erased-1"')
    expect(await ended('replay', '--all', '--check')).toMatchObject({ drifted: 0 })
    expect(await ended('rebuild', '--verify')).toMatchObject({ failures: 0 })
    expect(await ended('audit', 'verify')).toMatchObject({ ok: true })
    expect(JSON.stringify(await ended('audit', '--user', '7'))).toContain('user.erased')
  } finally {
    await rm(folder, { recursive: true, force: true })
    await database.drop()
  }
})

test('a log is checked from elsewhere without its keys', async () => {
  const [database, home] = [await createTestDatabase(), await temporaryFolder('replay-from')]
  const env = { DATABASE_URL: database.url, REDIS_URL: '', ROOTSTREAM_HOME: home }
  try {
    const user = '{"username":"canary","email":"canary@example.org","passwordHash":"canary-hash"}'
    expect((await runCli(['actors', 'send', 'user', 'user.registered', user], env)).code).toBe(0)
    expect((await runCli(['actors', 'send', 'user/1', 'user.updated', '{"displayName":"canary"}'], env)).code).toBe(0)
    const elsewhere = { REDIS_URL: '', ROOTSTREAM_HOME: home, DATABASE_URL: '', ROOTSTREAM_FROM_URL: database.url }
    const checked = await runCli(['replay', '--check', '--from', '--json'], elsewhere)
    expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([0, { events: 2, drifted: 0 }])
    expect(checked.stdout).not.toContain('canary')
  } finally {
    await rm(home, { recursive: true, force: true })
    await database.drop()
  }
})
