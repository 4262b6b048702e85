/**
 * Three nodes on one Postgres; the third is cut off from the others, and healed. Run: `npm run example -- multi-instance`.
 * It brings its own Postgres and lets the nodes meet in this process; DATABASE_URL and REDIS_URL are used where they are set.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '../src/config.ts'
import { startPostgres } from '../src/embedded/postgres.ts'
import { applyDelta, createNode, type NodeOptions, type RuntimeNode } from '../src/index.ts'
import { openLink } from './cuttable-link.ts'

export interface MultiInstanceOptions {
  readonly database: string
  /** Without it the nodes meet in this process. */
  readonly redis?: string | undefined
  readonly log?: NodeOptions['log']
}

export async function main({ database, redis, log }: MultiInstanceOptions, say: (line: string) => void): Promise<void> {
  const link = await openLink(redis, 'c')
  const nodes: RuntimeNode[] = []
  try {
    for (const name of ['a', 'b', 'c'])
      nodes.push(await createNode({ database, name, ...link.optionsOf(name), ...(log === undefined ? {} : { log }) }))
    await play(nodes as [RuntimeNode, RuntimeNode, RuntimeNode], link, say)
  } finally {
    for (const node of nodes) await node.close()
    await link.close()
  }
}

async function play(
  [a, b, c]: [RuntimeNode, RuntimeNode, RuntimeNode],
  link: { cut(): void; heal(): void },
  say: (line: string) => void,
): Promise<void> {
  const nodes = [a, b, c]
  const stream = await newStream(a)
  await until(() => healthy(...nodes))

  // A subscription is a hint, at most once: what each node hears, and when.
  const heard = new Map(nodes.map(node => [node, [] as number[]]))
  for (const node of nodes)
    node.subscribe('stream.viewers.updated', event => {
      if (event.actorId === stream) heard.get(node)?.push(Number(event.data['viewers']))
    })
  const tell = (title: string) => {
    say(title)
    for (const node of nodes) say(`  ${node.name} heard   ${heard.get(node)?.join(', ') || 'nothing'}`)
    for (const list of heard.values()) list.length = 0
  }
  const hear = (listeners: readonly RuntimeNode[], ...told: number[]) =>
    until(() => listeners.every(node => told.every(viewers => heard.get(node)?.includes(viewers))))
  const watch = (node: RuntimeNode, viewers: number) =>
    node.actor('stream', stream).send({ type: 'stream.viewers.updated', viewers })
  const viewers = async (node: RuntimeNode, maxStaleMs = 0) => {
    const { context } = await node.actor('stream', stream).state({ maxStaleMs })
    return (context['row'] as { viewer_count: number }).viewer_count
  }

  await watch(a, 10)
  await watch(c, 11)
  await hear(nodes, 10, 11)
  tell('together: a says 10 viewers, c says 11')
  const copy = await c.getSnapshot('stream', stream)

  link.cut()
  await until(async () => !(await healthy(c)))
  await watch(a, 20)
  await watch(c, 21)
  await watch(b, 22)
  await hear([a, b], 20, 22)
  tell('c is cut off from the bus: a says 20, c says 21, b says 22')
  // Each still decides on the log; what c holds in memory it does not trust while it may be deaf.
  for (const node of nodes) {
    const anyOfThisMinute = await viewers(node, 60_000)
    say(
      `  ${node.name} reads   ${anyOfThisMinute} when one of this minute will do, ${await viewers(node)} from the log`,
    )
  }

  link.heal()
  await until(() => healthy(...nodes))
  // What a subscriber missed is in the log, after the version it had.
  const missed = (await Array.fromAsync(c.actor('stream', stream).history({ from: copy.version + 1 }))).flat()
  say(`healed: c catches up: ${missed.map(event => `${event.data['viewers']} by ${event.node}`).join(', ')}`)
  const brought = applyDelta(copy, await c.getDelta('stream', stream, copy.version))
  say(
    `  c's copy of before the cut, brought forward: ${(brought.state.context['row'] as { viewer_count: number }).viewer_count}`,
  )

  await watch(b, 30)
  await hear(nodes, 30)
  // Over Redis c's own 21 waited for the link, and the others hear of it late: what they have already, they pass over.
  for (const list of heard.values()) list.splice(0, list.indexOf(30))
  tell('together again: b says 30')
  const states = await Promise.all(nodes.map(node => node.actor('stream', stream).state()))
  const [first, ...others] = states.map(state => JSON.stringify(state))
  await c.projections.caughtUp()
  const rows = await c.projections.find('streams', 'viewer_count', 30)
  say(
    `equal    ${others.every(other => other === first) && rows.includes(stream) ? 'all states, and the read table' : 'not'}`,
  )
}

/** A live stream; returns when the effects of its start are in the log too. */
async function newStream(node: RuntimeNode): Promise<number> {
  const name = `ada-${process.pid}-${Date.now()}`
  const user = await node.create('user', {
    type: 'user.registered',
    username: name,
    email: `${name}@example.org`,
    passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g',
  })
  if (!user.ok) throw new Error(`refused: ${user.reason}`)
  const stream = await node.create('stream', {
    type: 'stream.created',
    userId: user.actor.id,
    name: 'First light',
    streamKey: `key-of-${name}`,
  })
  if (!stream.ok) throw new Error(`refused: ${stream.reason}`)
  await node.actor('stream', stream.actor.id).send({ type: 'stream.started', bitrateKbps: 6_000 })
  await node.actors.effectsIdle()
  return stream.actor.id
}

async function healthy(...nodes: readonly RuntimeNode[]): Promise<boolean> {
  const reports = await Promise.all(nodes.map(node => node.health()))
  return reports.every(({ components }) => components.bus.status === 'ok')
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(30_000)
  while (!(await condition())) {
    patience.throwIfAborted()
    await delay(20)
  }
}

if (import.meta.main) {
  const { database, redis } = loadConfig()
  const say = (line: string) => console.log(line)
  if (database !== undefined) await main({ database, redis }, say)
  else {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rootstream-example-'))
    const postgres = await startPostgres({ dataDir: path.join(folder, 'postgres') })
    try {
      await main({ database: postgres.url, redis }, say)
    } finally {
      await postgres.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}
