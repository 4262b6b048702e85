/** The disk of Postgres is full, for real: commands are given back, the node lives, and when there is room all goes on. */
import { execFileSync } from 'node:child_process'
import { rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { type OwnPostgres, ownPostgres } from '../support/database.ts'
import { createCommands } from './commands.ts'
import { expectNothingLostOrDoubled } from './invariants.ts'
import { type ServedNode, serveNode } from './served-node.ts'
import { canMount, type SmallDisk, smallDisk } from './small-disk.ts'
import { runWorkload } from './workload.ts'

/** Some load, a full disk in the middle of more, room again; then the proof. */
async function fillUnderLoad(
  server: OwnPostgres,
  disk: SmallDisk,
  served: ServedNode,
  { useUp, repair }: { useUp: () => Promise<void>; repair: () => Promise<void> },
): Promise<void> {
  const commands = createCommands(() => served.client)
  await runWorkload(commands, { name: 'before', households: 2 })
  disk.fill()
  await useUp()
  const load = runWorkload(commands, { name: 'while-full', viewers: 400 })
  await commands.met('log_unavailable')
  // It answers, and has not ended.
  expect([200, 503]).toContain((await served.bystander.request('GET', '/health')).status)
  disk.free()
  await repair()
  await load
  await runWorkload(commands, { name: 'after', households: 2 })
  await expectNothingLostOrDoubled({ url: server.url, client: served.client, commands })
  expect((await served.bystander.request('GET', '/ready')).status).toBe(200)
}

const onDisk = (await canMount()) ? test.concurrent : test.skip

onDisk('no room for data: nothing is written, nothing is lost', async ({ onTestFinished }) => {
  const disk = await smallDisk(96)
  onTestFinished(() => disk.remove())
  const server = await ownPostgres({ max_wal_size: '32MB', min_wal_size: '32MB' }, disk.folder)
  onTestFinished(() => server.remove())
  const served = await serveNode(server.url)
  onTestFinished(() => served.stop())
  const { pid } = server
  await fillUnderLoad(server, disk, served, { useUp: async () => {}, repair: async () => {} })
  expect(server.pid).toBe(pid)
})

onDisk(
  'no room for the journal, which ends the server: it starts again when there is room, and nothing is lost',
  async ({ onTestFinished }) => {
    const disk = await smallDisk(40)
    onTestFinished(() => disk.remove())
    const server = await ownPostgres({ max_wal_size: '32MB', min_wal_size: '32MB' })
    onTestFinished(() => server.remove())
    await server.stop()
    moveJournal(server.dataDir, path.join(disk.folder, 'pg_wal'))
    await server.restart()
    const served = await serveNode(server.url)
    onTestFinished(() => served.stop())
    await fillUnderLoad(server, disk, served, {
      // The files of the journal are as large as they get from the start: only the next one finds no room.
      useUp: async () => {
        const client = new pg.Client({ connectionString: server.url })
        client.on('error', () => {})
        await client.connect()
        for (let full = false; !full; )
          await client.query('select pg_switch_wal(), pg_logical_emit_message(false, $1, $2)', ['', 'x']).catch(() => {
            full = true
          })
        await client.end()
      },
      repair: async () => {
        await server.stop()
        await server.restart()
      },
    })
  },
)

function moveJournal(dataDir: string, to: string): void {
  const from = path.join(dataDir, 'pg_wal')
  // With its owner: Postgres does not run as root.
  execFileSync('cp', ['-a', from, to])
  rmSync(from, { recursive: true })
  symlinkSync(to, from)
}
