/** The real side: nodes on one Postgres database, each of which can be killed, and an observer that only reads. */
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { AppError } from '../../src/core/errors.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { PgEventStore } from '../../src/eventstore/pg-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { entities as registry } from '../../src/machines/index.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { openedStore } from '../support/opened-store.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { eventually } from '../sync/eventually.ts'
import { type Cut, type CuttableLink, openCuttableLink } from './cuttable-link.ts'
import type { Answer, Request } from './expectations.ts'
import { type ProcessClock, processClock } from './process-clock.ts'

/** Snapshots often, so that short histories have some. */
export const entities = registry.map(entity => ({ ...entity, snapshotEvery: 4 }))

interface Process {
  readonly node: RuntimeNode
  readonly link: CuttableLink
  readonly clock: ProcessClock
}

/** A minute passes whenever it is looked at: whoever goes by it keeps no keys. */
const hurried: Clock = { ...systemClock, now: () => minutes++ * 60_000 }
let minutes = 0

export class Installation {
  readonly clock = createManualClock()
  readonly observer: PgEventStore
  readonly #database: TestDatabase
  readonly #processes: Process[] = []
  readonly #made: CuttableLink[] = []

  private constructor(database: TestDatabase, observer: PgEventStore) {
    this.#database = database
    this.observer = observer
  }

  static async open(): Promise<Installation> {
    const database = await createTestDatabase()
    const options = { url: database.url, node: 'observer', clock: createManualClock(), log: silentLogger, poolSize: 5 }
    const observer = await openedStore(options, hurried)
    const installation = new Installation(database, observer)
    await installation.startAnother()
    return installation
  }

  /** Time as events carry it. */
  get now(): string {
    return new Date(this.clock.now()).toISOString()
  }

  get size(): number {
    return this.#processes.length
  }

  get nodes(): readonly RuntimeNode[] {
    return this.#processes.map(({ node }) => node)
  }

  node(index: number): RuntimeNode {
    return this.#process(index).node
  }

  async startAnother(): Promise<void> {
    this.#processes.push(await this.#start())
  }

  /** Stops a node in good order and starts another in its place. */
  async restart(index: number): Promise<void> {
    const process = this.#process(index)
    await this.#end(process)
    this.#processes[this.#processes.indexOf(process)] = await this.#start()
  }

  async stopLast(): Promise<void> {
    const process = this.#processes.pop()
    if (process !== undefined) await this.#end(process)
  }

  /** Kills the node, or breaks its connections, once so much more data has passed between it and Postgres. */
  cutLater(index: number, cut: Cut): void {
    this.#process(index).link.cutLater(cut)
  }

  async idleOrGone(index: number): Promise<void> {
    const { node, link } = this.#process(index)
    await Promise.race([node.actors.effectsIdle(), link.gone])
  }

  /** Cuts what was not cut by now, and starts another node in the place of a killed one. */
  async cutNow(index: number, { how }: Cut): Promise<void> {
    const process = this.#process(index)
    process.link.cut(how)
    if (how === 'break') return
    process.clock.end()
    this.#processes[this.#processes.indexOf(process)] = await this.#start()
  }

  /** Undefined where the node was killed before it answered. */
  async send(index: number, { type, id, event, ...options }: Request): Promise<Answer | undefined> {
    const { node, link } = this.#process(index)
    const { commandId, expectedVersion } = options
    const given = {
      ...(commandId === undefined ? {} : { commandId }),
      ...(expectedVersion === undefined ? {} : { expectedVersion }),
    }
    const sent = id === undefined ? node.create(type, event, given) : node.actor(type, id).send(event, given)
    const answered = sent.catch((error: unknown) => {
      if (error instanceof AppError) return { error: error.code }
      throw error
    })
    return Promise.race([answered, link.gone.then(() => undefined)])
  }

  /** Resolves when no event is due and no effect runs. What a killed node left half done may still wait for its time. */
  async quiet(): Promise<void> {
    await eventually(async () => {
      const { rows } = await this.observer.pool.query<{ due: boolean }>(
        `select exists(
           select from timers where due_at <= $1 and (kind = 'event' or taken_until is null or taken_until <= $1)
         ) as due`,
        [this.now],
      )
      if (rows[0]?.due === true) throw new Error('timers are due')
    })
    await Promise.all(this.nodes.map(({ actors }) => actors.effectsIdle()))
  }

  view(index: number, type: string, id: number, version?: number) {
    const actor = this.node(index).actor(type, actorRef(type, id).id)
    return version === undefined ? actor.state() : actor.stateAt({ version })
  }

  async close(): Promise<void> {
    for (const process of this.#processes.splice(0)) await this.#end(process)
    for (const link of this.#made) link.cut('kill')
    await this.observer.close()
    await this.#database.drop()
  }

  #process(index: number): Process {
    const process = this.#processes[index % this.#processes.length]
    if (process === undefined) throw new Error('no node runs')
    return process
  }

  async #start(): Promise<Process> {
    const link = await openCuttableLink(this.#database.url)
    this.#made.push(link)
    const clock = processClock(this.clock)
    const node = await createNode({
      database: link.url,
      name: 'node',
      keys: TEST_KEYS,
      log: silentLogger,
      clock,
      entities,
    })
    return { node, link, clock }
  }

  async #end({ node, link, clock }: Process): Promise<void> {
    await node.close()
    clock.end()
    link.cut('kill')
  }
}
