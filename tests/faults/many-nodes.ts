/** Several real nodes on one Postgres and one Redis, and what must hold of them all in the end. */
import type { TestContext } from 'vitest'
import type { HttpClient } from '../support/http-client.ts'
import { type Commands, createCommands } from './commands.ts'
import { expectNothingLostOrDoubled } from './invariants.ts'
import { connected, type ServedProcess, type SeveralProcesses, severalProcesses } from './several-processes.ts'

export const SMALL = { households: 3, viewers: 20 }

export interface Scene extends SeveralProcesses {
  readonly nodes: readonly [ServedProcess, ServedProcess, ServedProcess]
}

export async function threeNodes(context: TestContext): Promise<Scene> {
  const several = await severalProcesses(context)
  const nodes = await Promise.all([
    several.start({ name: 'a' }),
    several.start({ name: 'b' }),
    several.start({ name: 'c' }),
  ])
  await connected(...nodes)
  // Not spread: `redis` is another one after a restart.
  return Object.assign(several, { nodes })
}

/** Commands that go to the nodes in turn, whichever they are by then. */
export function inTurn(nodes: () => readonly ServedProcess[]): Commands {
  let turn = 0
  return createCommands(() => nodes()[turn++ % nodes().length]?.client as HttpClient)
}

/** Each node shows of each actor what the log leads to; the read tables are what a rebuild makes. */
export async function expectAllAlike(
  { database }: SeveralProcesses,
  nodes: readonly ServedProcess[],
  commands: Commands,
) {
  for (const { client } of nodes) await expectNothingLostOrDoubled({ url: database.url, client, commands })
}

export async function aUser(commands: Commands, name: string): Promise<number> {
  const event = { type: 'user.registered', username: name, email: `${name}@example.org`, passwordHash: 'x' }
  const user = await commands.send('/v1/actors/user', event, `${name}:user`)
  if (!user.taken) throw new Error(user.code)
  return user.id
}

/** Of a user of the same name, unless one is given. */
export async function aStream(commands: Commands, name: string, owner?: number): Promise<number> {
  const userId = owner ?? (await aUser(commands, name))
  const event = { type: 'stream.created', userId, name, streamKey: `${name}:key` }
  const stream = await commands.send('/v1/actors/stream', event, `${name}:stream`)
  if (!stream.taken) throw new Error(stream.code)
  return stream.id
}

export async function versionOn({ client }: ServedProcess, address: string): Promise<unknown> {
  return ((await client.request('GET', `/v1/actors/${address}`)).body as { version?: unknown }).version
}
