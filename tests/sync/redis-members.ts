/** Redis buses that keep what they hear, stopped after each test. */
import { afterEach, expect } from 'vitest'
import type { MonitoredBus } from '../../src/sync/monitored-bus.ts'
import { createRedisBus, type RedisBusOptions } from '../../src/sync/redis-bus.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from './eventually.ts'
import { frameKey } from './frame-key.ts'
import { logEvent } from './log-events.ts'

export interface Member {
  readonly bus: MonitoredBus
  readonly heard: number[]
  gaps: number
}

export type MemberOptions = Partial<RedisBusOptions> & { readonly namespace: string; readonly node: string }

export interface Members {
  /** Not started. */
  member(options: MemberOptions): Member
  /** Started and caught up: counting of gaps begins here. */
  joined(options: MemberOptions): Promise<Member>
}

/** For one test file. @param url of members whose options name none */
export function createMembers(url: () => string): Members {
  const open: MonitoredBus[] = []
  afterEach(async () => {
    for (const bus of open.splice(0)) await bus.stop()
  })
  const member = (options: MemberOptions): Member => {
    const log = createRecordingLog()
    const bus = createRedisBus({
      url: options.url ?? url(),
      key: frameKey,
      incarnation: 1,
      clock: createManualClock(),
      log,
      ...options,
    })
    open.push(bus)
    const heard: number[] = []
    const result = { bus, heard, gaps: 0 }
    bus.onFrame(({ events }) => void heard.push(...events.map(event => event.position)))
    bus.onGap(() => void result.gaps++)
    return result
  }
  return {
    member,
    async joined(options) {
      const result = member(options)
      await result.bus.start()
      await eventually(() => expect(result.bus.healthy).toBe(true))
      await eventually(() => expect(result.gaps).toBeGreaterThan(0))
      result.gaps = 0
      return result
    },
  }
}

export function say({ bus }: Member, ...positions: number[]): void {
  bus.publish({ node: 'ignored', incarnation: 0, events: positions.map(position => logEvent(position)) })
}
