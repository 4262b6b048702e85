/** Random histories of three nodes that lose Postgres, find it again, lose an answer or start anew: what was answered is there once. */
import fc from 'fast-check'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import type { NodeOptions } from '../../src/node-options.ts'
import { createInProcessHub } from '../../src/sync/in-process-bus.ts'
import { eventually } from '../sync/eventually.ts'
import { type LinkedNode, type OutageStage, openSession, outageStage, registerUser } from './outage-stage.ts'

const NAMES = ['a', 'b', 'c'] as const

interface Sending {
  readonly do: 'send'
  readonly node: number
  readonly what: 'rename' | 'touch' | 'close' | 'revoke'
  readonly named: boolean
}
type Step = Sending | { readonly do: 'cut' | 'mend' | 'lose' | 'restart'; readonly node: number }

const node = fc.nat(NAMES.length - 1)
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), node }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('mend' as const), node }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'restart' as const), node }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        node,
        what: fc.constantFrom(
          'rename' as const,
          'rename' as const,
          'touch' as const,
          'close' as const,
          'revoke' as const,
        ),
        named: fc.boolean(),
      }),
    },
  ),
  { minLength: 6, maxLength: 16 },
)

interface Sent {
  /** In the data of the event, or its command id: by this it is found again. */
  readonly tag: string
  readonly answered: boolean
  readonly type: string
}

class World {
  readonly sent: Sent[] = []
  readonly #stage: OutageStage
  readonly #nodes: LinkedNode[]
  readonly #user: number
  readonly #session: number
  readonly #run: number
  readonly #options: NodeOptions

  constructor(
    stage: OutageStage,
    nodes: LinkedNode[],
    user: number,
    session: number,
    run: number,
    options: NodeOptions,
  ) {
    this.#run = run
    this.#options = options
    this.#stage = stage
    this.#nodes = nodes
    this.#user = user
    this.#session = session
  }

  at(index: number): LinkedNode {
    const found = this.#nodes[index]
    if (found === undefined) throw new Error(`no node ${index}`)
    return found
  }

  async take(step: Step): Promise<void> {
    const { link } = this.at(step.node)
    if (step.do === 'cut') link.cut()
    else if (step.do === 'mend') link.mend()
    else if (step.do === 'lose') link.loseNextAppend()
    else if (step.do === 'restart') await this.#restart(step.node)
    else if (step.do === 'send') await this.#send(step)
  }

  /** What waits in its journal then waits for the next start, which finds Postgres. */
  async #restart(index: number): Promise<void> {
    const { close, node: before } = this.at(index)
    await close()
    this.#nodes[index] = await this.#stage.start(before.name, this.#options)
    await this.#warm(index)
  }

  /** Only what is in memory is taken while Postgres is away. */
  async #warm(index: number): Promise<void> {
    await this.at(index).node.actor('user', this.#user).state()
    await this.at(index).node.actor('session', this.#session).state()
  }

  async #send({ node: index, what, named }: Sending): Promise<void> {
    const number = this.sent.length
    // Command ids are spent once in the whole log, which the histories share.
    const tag = `tag-${this.#run}-${number}`
    const ip = `2001:db8::${this.#run}:${number}`
    const events = {
      rename: ['user', { type: 'user.updated', displayName: tag }],
      touch: ['session', { type: 'session.touched', ipAddress: ip }],
      close: ['session', { type: 'session.closed' }],
      revoke: ['session', { type: 'session.revoked', reason: tag }],
    } as const satisfies Record<string, readonly ['user' | 'session', OutgoingEvent]>
    const [type, event] = events[what]
    // A closing says nothing by which it could be told from another.
    const commandId = named || what === 'close' ? tag : undefined
    const actor = this.at(index).node.actor(type, type === 'user' ? this.#user : this.#session)
    const answered = await actor.send(event, commandId === undefined ? {} : { commandId }).then(
      result => (result.ok ? true : undefined),
      () => false,
    )
    // A refusal leaves nothing behind.
    if (answered !== undefined)
      this.sent.push({ tag: what === 'touch' && !named ? ip : tag, answered, type: event.type })
    else this.sent.push({ tag: `refused-${number}`, answered: false, type: event.type })
  }

  async healed(): Promise<void> {
    for (const [index] of this.#nodes.entries()) this.at(index).link.mend()
    for (const [index] of this.#nodes.entries()) await this.at(index).healed()
  }

  async states(): Promise<readonly object[]> {
    return Promise.all(
      this.#nodes.map(async ({ node: on }) => ({
        user: await on.actor('user', this.#user).state(),
        session: await on.actor('session', this.#session).state(),
      })),
    )
  }
}

test.each([
  ['alone', () => ({})],
  ['with word of each other', () => ({ hub: createInProcessHub() })],
] as const)(
  'whatever is cut, lost or started anew, each answer is in the log once and the nodes agree: %s',
  {
    timeout: 300_000,
  },
  async (_, link) => {
    const options: NodeOptions = link()
    const stage = await outageStage({ onTestFinished })
    const client = new pg.Client({ connectionString: stage.url })
    await client.connect()
    onTestFinished(() => client.end())
    const nodes: LinkedNode[] = []
    for (const name of NAMES) nodes.push(await stage.start(name, options))
    let run = 0
    await fc.assert(
      fc.asyncProperty(steps, async history => {
        run++
        const [first] = nodes
        if (first === undefined) throw new Error('there are no nodes')
        const user = await registerUser(first.node, `user-${run}`)
        const session = await openSession(first.node, user, `token-${run}`)
        const { rows: before } = await client.query<{ position: string }>(
          'select max(position) as position from events',
        )
        const world = new World(stage, nodes, user, session, run, options)
        for (const { node: on } of nodes) {
          await on.actor('user', user).state()
          await on.actor('session', session).state()
        }
        for (const step of history) await world.take(step)
        await world.healed()

        let states: readonly object[] = []
        await eventually(async () => {
          states = await world.states()
          for (const state of states) expect(state).toEqual(states[0])
          expect(JSON.stringify(states)).not.toContain('"tentative"')
        })
        // It may have been started anew.
        const alive = nodes[0] ?? first
        const events = (await alive.node.log.readAll(Number(before[0]?.position), 5_000)).filter(
          ({ type }) => type !== 'conflict.applied',
        )
        const rows = events.map(({ actorType, actorId, version, commandId: id, data, origin }) => ({
          actor: `${actorType}/${actorId}`,
          version,
          id,
          told: JSON.stringify(origin?.given ?? data['given'] ?? data),
        }))
        // A conflict of an event that was written names it too; the record that took its place has its command id.
        const places = rows.filter(({ id }) => id?.startsWith('conflict:') !== true)
        for (const { tag, answered, type } of world.sent) {
          const times = places.filter(({ id, told }) => id === tag || told.includes(`"${tag}"`)).length
          if (answered) expect(times, `${type} ${tag}`).toBe(1)
          else expect(times, `${type} ${tag}`).toBeLessThanOrEqual(1)
        }
        if (world.sent.some(({ type, answered }) => type === 'session.revoked' && answered))
          expect(states[0]).toMatchObject({ session: { state: 'revoked' } })
        for (const versions of Map.groupBy(rows, ({ actor }) => actor).values()) {
          const from = versions[0]?.version ?? 0
          expect(versions.map(({ version }) => version)).toEqual(versions.map((_, index) => from + index))
        }
      }),
      { numRuns: 12 },
    )
  },
)
