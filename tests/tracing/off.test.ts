/** Tracing that is off costs nothing: no package is loaded, and what passes along the way of a command is what passed without it. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createActorSystem } from '../../src/actors/system.ts'
import { createNode } from '../../src/app.ts'
import type { LogEvent } from '../../src/core/event.ts'
import type { Append } from '../../src/core/ports.ts'
import type { Tracer } from '../../src/core/tracing.ts'
import { createMemoryEventStore } from '../../src/eventstore/memory-event-store.ts'
import { silentLogger } from '../../src/logging.ts'
import { bookingEntity } from '../support/booking-entity.ts'
import { createManualClock } from '../support/manual-clock.ts'

interface Loaded {
  readonly ok: boolean
  readonly modules: number
  readonly packages: readonly string[]
  readonly adapters: readonly string[]
}

async function loadedBy(...args: readonly string[]): Promise<Loaded> {
  const program = path.resolve(import.meta.dirname, 'off-program.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], { env: {} })
  return JSON.parse(stdout) as Loaded
}

test('a process with tracing off loads no OpenTelemetry package and no adapter', async () => {
  const off = await loadedBy()
  expect(off).toMatchObject({ ok: true, packages: [], adapters: [] })
  expect(off.modules).toBeGreaterThan(50)
})

test('the same process with tracing on loads both, so the look is a real one', async () => {
  const on = await loadedBy('on')
  expect(on.ok).toBe(true)
  expect(on.packages).toEqual(expect.arrayContaining(['@opentelemetry/api', '@opentelemetry/sdk-trace']))
  expect(on.adapters).toContain('src/tracing/otel-tracer.ts')
})

/** The append of one command, as the store is given it. */
async function appendOf(tracer?: Tracer): Promise<Append> {
  const clock = createManualClock()
  const store = createMemoryEventStore({ node: 'test', clock })
  const appends: Append[] = []
  const actors = createActorSystem({
    store: { ...store, append: append => store.append(append).finally(() => appends.push(append)) },
    entities: [bookingEntity()],
    clock,
    log: silentLogger,
    holder: 'test',
    ...(tracer === undefined ? {} : { tracer }),
  })
  await actors.create('booking', { type: 'booking.made', name: 'a', seats: 1 })
  await actors.stop()
  const [append] = appends
  if (append === undefined) throw new Error('nothing was appended')
  return append
}

test('off, an append has nothing of tracing in it', async () => {
  const nothing = () => undefined
  const silent: Tracer = { command: nothing, append: nothing, publish: nothing, receive: nothing, projection: nothing }
  expect(await appendOf()).not.toHaveProperty('spans')
  expect(await appendOf(silent)).toHaveProperty('spans', [undefined])
})

test('off, caller, subscriber and log hold the very same event', async () => {
  const node = await createNode({ memory: true, name: 'test', log: silentLogger, entities: [bookingEntity()] })
  try {
    const heard: LogEvent[] = []
    node.subscribe('*', event => heard.push(event))
    const result = await node.create('booking', { type: 'booking.made', name: 'a', seats: 1 })
    if (!result.ok) throw new Error(result.reason)
    expect(heard[0]).toBe(result.event)
    expect((await node.log.readAll(0, 1))[0]).toBe(result.event)
  } finally {
    await node.close()
  }
})
