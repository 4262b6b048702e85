/** What each suite of the actor system stands on: a node, more nodes on the same log, a clock, and the words of the tests. */
import { afterEach, beforeEach } from 'vitest'
import type { ActorHandle, ActorSystem, ActorSystemOptions } from '../../src/actors/api.ts'
import { createActorSystem } from '../../src/actors/system.ts'
import type { LogEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { EventStore } from '../../src/core/ports.ts'
import type { CommandResult } from '../../src/core/result.ts'
import { silentLogger } from '../../src/logging.ts'
import type { OutgoingEvent } from '../../src/machines/define.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'

const PATIENCE_MS = 60_000

export interface StoreFixture {
  /** Another store on the same log, as another node has. */
  open(clock: ManualClock): Promise<EventStore>
  close(): Promise<void>
}

export interface Stage {
  readonly clock: ManualClock
  /** Runs from the beginning of each test. */
  readonly node: ActorSystem
  /** That of the node. */
  readonly store: EventStore
  /** Starts another node on the same log. */
  startNode(options?: Partial<ActorSystemOptions>): Promise<ActorSystem>
  booking(id: number, on?: ActorSystem): ActorHandle
  history(id: number, on?: ActorSystem): Promise<readonly LogEvent[]>
  /** Moves time on step by step, letting the work of each step go on, until the condition holds. The patience is for a busy machine. */
  advanceUntil(done: () => Promise<boolean>, stepMs?: number): Promise<void>
}

export const made = (bookingName: string, more: object = {}): OutgoingEvent => ({
  type: 'booking.made',
  name: bookingName,
  seats: 2,
  ...more,
})

export function accepted(result: CommandResult) {
  if (!result.ok || result.tentative) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result
}

/** Set up before each test of the suite it is called in, and taken down after it. */
export function openStage(makeFixture: () => Promise<StoreFixture>): Stage {
  let fixture: StoreFixture
  let clock: ManualClock
  let node: ActorSystem
  const systems: ActorSystem[] = []
  const stores: EventStore[] = []

  async function startNode(options: Partial<ActorSystemOptions> = {}): Promise<ActorSystem> {
    const store = options.store ?? (await fixture.open(clock))
    stores.push(store)
    const system = createActorSystem({
      store,
      entities: [bookingEntity()],
      clock,
      log: silentLogger,
      holder: `node-${systems.length}`,
      ...options,
    })
    systems.push(system)
    await system.start()
    return system
  }

  beforeEach(async () => {
    clock = createManualClock()
    fixture = await makeFixture()
    node = await startNode()
  })

  afterEach(async () => {
    for (const system of systems.splice(0)) await system.stop()
    for (const store of stores.splice(0)) await store.close()
    await fixture.close()
  })

  const booking = (id: number, on: ActorSystem = node) => on.actor(actorRef('booking', id))

  return {
    get clock() {
      return clock
    },
    get node() {
      return node
    },
    get store() {
      return stores[0] as EventStore
    },
    startNode,
    booking,
    history: async (id, on = node) => (await Array.fromAsync(booking(id, on).history())).flat(),
    advanceUntil: async (done, stepMs = 1_000) => {
      const deadline = performance.now() + PATIENCE_MS
      while (performance.now() < deadline) {
        if (await done()) return
        clock.advance(stepMs)
        for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
      }
      throw new Error('the condition never held')
    },
  }
}
