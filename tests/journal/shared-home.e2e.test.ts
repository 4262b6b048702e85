/** Two nodes on one home, as processes of their own: the second is told, and the first goes on. */
import { rm } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { runCli, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('a home belongs to one node: another is refused in words, and after a kill the next start takes it', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const home = await temporaryFolder('shared-home')
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const env = (name: string) => ({
    ...{ DATABASE_URL: database.url, ROOTSTREAM_HOME: home, ROOTSTREAM_NODE: name },
    ...{ ROOTSTREAM_HTTP_PORT: '0', LOG_LEVEL: 'silent' },
  })
  const first = await startNodeProcess(env('a'))
  // With a name of its own or with the same one: the journal is what they cannot share.
  for (const name of ['a', 'b']) {
    const second = await runCli(['start', '--json'], env(name))
    expect(second.code).not.toBe(0)
    expect(second.stderr).toContain('already_running')
    expect(second.stderr).toMatch(new RegExp(`Process ${first.pid} uses .*journal.*ROOTSTREAM_HOME`))
    expect(second.stdout).toBe('')
  }
  expect((await fetch(`${first.url}/ready`)).status).toBe(200)
  await first.kill()
  const next = await startNodeProcess(env('a'))
  expect((await fetch(`${next.url}/ready`)).status).toBe(200)
  expect(await next.stop()).toBe(0)
})
