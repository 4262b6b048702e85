/** `npm start` as a person runs it: through npm and the bootstrap, stopped by Ctrl-C. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

test.each(['SIGINT', 'SIGTERM'] as const)(
  'says where it is and what to try, and %s to the whole group stops it in order',
  async signal => {
    const home = await temporaryFolder('start')
    const env = { ...process.env, ROOTSTREAM_HOME: home, ROOTSTREAM_HTTP_PORT: '0', DATABASE_URL: '', REDIS_URL: '' }
    // A group of its own, as a terminal gives one: the signal reaches npm, the bootstrap and the node at once.
    const child = spawn('npm', ['start'], { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', chunk => {
      said += chunk
    })
    const closed = once(child, 'close')
    while (!said.includes('Ctrl-C stops it')) await once(child.stdout, 'data')
    expect(said).toContain(path.join(home, 'rootstream.sock'))
    expect(said).toContain('/health')
    const postgres = readFileSync(path.join(home, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]
    process.kill(-(child.pid ?? 0), signal)
    await closed
    expect(existsSync(path.join(home, 'postgres/postmaster.pid'))).toBe(false)
    expect(existsSync(`/proc/${postgres}/status`) && readFileSync(`/proc/${postgres}/cmdline`, 'utf8') !== '').toBe(
      false,
    )
    await rm(home, { recursive: true, force: true })
  },
)
