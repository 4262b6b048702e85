/** Embeds a node: a stream goes live, is watched, stops; then its past is asked for. Run: `npm run example -- embed`. */
import { randomUUID } from 'node:crypto'
import { createNode, type NodeOptions } from '../src/index.ts'

export async function main(options: NodeOptions, say: (line: string) => void): Promise<void> {
  // Names and command ids are taken once in a log: each run has its own.
  const run = randomUUID().slice(0, 8)
  const commandId = `start-${run}`
  const node = await createNode(options)
  try {
    node.subscribe('stream.*', event => say(`heard    ${event.type} (version ${event.version})`))

    const user = await node.create('user', {
      type: 'user.registered',
      username: `ada-${run}`,
      email: `ada-${run}@example.org`,
      passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g',
    })
    if (!user.ok) throw new Error(`refused: ${user.reason}`)
    const created = await node.create('stream', {
      type: 'stream.created',
      userId: user.actor.id,
      name: 'First light',
      streamKey: `a-key-only-the-host-knows-${run}`,
    })
    if (!created.ok) throw new Error(`refused: ${created.reason}`)

    const stream = node.actor('stream', created.actor.id)
    // The promise resolves when the event is durable; the command id makes a retry harmless.
    await stream.send({ type: 'stream.started', bitrateKbps: 6_000, resolution: '1920x1080' }, { commandId })
    const retried = await stream.send(
      { type: 'stream.started', bitrateKbps: 6_000, resolution: '1920x1080' },
      { commandId },
    )
    say(`retried  ${retried.ok && retried.repeated ? 'the first outcome came back' : 'unexpected'}`)

    const refused = await stream.send({ type: 'stream.started', bitrateKbps: 1 })
    if (!refused.ok)
      say(`refused  in state '${refused.state}', which allows ${refused.allowed.slice(0, 3).join(', ')}, …`)

    await stream.send({ type: 'viewer.joined' })
    await stream.send({ type: 'stream.stopped' })
    say(`now      ${(await stream.state()).state}`)
    say(`then     ${(await stream.stateAt({ version: 2 })).state} (at version 2)`)
  } finally {
    await node.close()
  }
}

if (import.meta.main) await main({}, line => console.log(line))
