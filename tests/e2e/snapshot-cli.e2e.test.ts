/** `rootstream actors snapshot`, as a user runs it. */
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { decodeSnapshot } from '../../src/snapshots/snapshot-bytes.ts'
import { runCli } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('prints a copy without secrets, or writes its compressed form', async () => {
  const database = await createTestDatabase()
  const folder = await temporaryFolder('snapshot-cli')
  const file = path.join(folder, 'user-1.rss')
  const cli = (...args: string[]) =>
    runCli(['actors', ...args, '--json'], { DATABASE_URL: database.url, REDIS_URL: '', ROOTSTREAM_HOME: folder })
  const user = '{"username":"ada","email":"ada@example.org","passwordHash":"a-secret-hash"}'
  expect((await cli('send', 'user', 'user.registered', user)).code).toBe(0)

  const printed = await cli('snapshot', 'user/1')
  expect(JSON.parse(printed.stdout)).toMatchObject({ type: 'user', id: 1, version: 1, format: 1 })
  expect(printed.stdout).not.toContain('a-secret-hash')
  const written = await cli('snapshot', 'user/1', '--out', file)
  expect(JSON.parse(written.stdout)).toEqual({ actor: 'user/1', version: 1, file, bytes: readFileSync(file).length })
  expect(decodeSnapshot(readFileSync(file))).toEqual(JSON.parse(printed.stdout))

  const missing = await cli('snapshot', 'user/2')
  expect([missing.code, missing.stderr.includes('not_found')]).toEqual([4, true])
  expect((await cli('snapshot', 'user/1', '--out', path.join(folder, 'no', 'such'))).code).toBe(2)
  await rm(folder, { recursive: true, force: true })
  await database.drop()
})
