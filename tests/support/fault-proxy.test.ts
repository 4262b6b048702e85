/** The tests' own network faults, between a client and a server that answers each piece with itself. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../sync/eventually.ts'
import { type FaultProxy, type FaultProxyOptions, openFaultProxy } from './fault-proxy.ts'

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Stage {
  readonly proxy: FaultProxy
  readonly client: Talker
  /** What the server has received, of all connections. */
  readonly received: () => string
  /** Connections the server has. */
  readonly accepted: Set<Socket>
}

interface Talker {
  readonly socket: Socket
  readonly heard: () => string
  readonly closed: () => boolean
}

async function openStage(options?: FaultProxyOptions): Promise<Stage> {
  const accepted = new Set<Socket>()
  let received = ''
  const server = createServer(socket => {
    accepted.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => accepted.delete(socket))
    socket.on('data', data => {
      received += data
      socket.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  const proxy = await openFaultProxy(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, options)
  cleanups.push(() => proxy.close())
  return { proxy, client: await talk(proxy), received: () => received, accepted }
}

async function talk(proxy: FaultProxy): Promise<Talker> {
  const socket = connect(proxy.port, '127.0.0.1')
  let heard = ''
  let closed = false
  socket.on('data', data => {
    heard += data
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'connect')
  cleanups.push(() => socket.destroy())
  return { socket, heard: () => heard, closed: () => closed }
}

/** A piece that made the round trip shows that whatever else was free to pass has passed. */
async function roundTrip(proxy: FaultProxy): Promise<void> {
  const witness = await talk(proxy)
  witness.socket.write('?')
  await eventually(() => expect(witness.heard()).toBe('?'))
}

test('without a fault it passes everything in both ways, and the end of a connection too', async () => {
  const { client, received, accepted, proxy } = await openStage()
  const much = 'x'.repeat(3_000_000)
  client.socket.write(much)
  await eventually(() => expect([received().length, client.heard().length]).toEqual([much.length, much.length]))
  client.socket.destroy()
  await eventually(() => expect([accepted.size, proxy.connections]).toEqual([0, 0]))
})

test('a server that cannot be reached ends the connection', async () => {
  const { proxy } = await openStage()
  const nowhere = await openFaultProxy(`tcp://127.0.0.1:${proxy.port}`)
  cleanups.push(() => nowhere.close())
  await proxy.close()
  const client = await talk(nowhere)
  await eventually(() => expect(client.closed()).toBe(true))
})

test('a delay keeps the order and holds each piece for at least so long', async () => {
  const { client, proxy } = await openStage()
  proxy.delay(40, 40)
  const began = performance.now()
  for (const piece of 'abcdefgh') client.socket.write(piece)
  await eventually(() => expect(client.heard()).toBe('abcdefgh'))
  // There and back. A lower bound: a slow machine only makes it longer.
  expect(performance.now() - began).toBeGreaterThanOrEqual(80)
})

test('a throttled way takes as long as its bytes need', async () => {
  const { client, proxy, received } = await openStage()
  proxy.throttle(100_000)
  const began = performance.now()
  client.socket.write('x'.repeat(10_000))
  await eventually(() => expect(received().length).toBe(10_000))
  client.socket.write('y')
  await eventually(() => expect(received().length).toBe(10_001))
  expect(performance.now() - began).toBeGreaterThanOrEqual(99)
})

test('cut in both ways nothing passes and nobody is told; healed, everything arrives', async () => {
  const { client, proxy, received } = await openStage()
  proxy.cut()
  client.socket.write('held')
  const late = await talk(proxy)
  late.socket.write(' too')
  const other = await openStage()
  await roundTrip(other.proxy)
  expect([received(), client.heard(), client.closed(), late.closed()]).toEqual(['', '', false, false])
  proxy.heal()
  await eventually(() => expect([client.heard(), late.heard()]).toEqual(['held', ' too']))
})

test('a close on a cut way is not told either, until it heals', async () => {
  const { client, proxy, accepted } = await openStage()
  await roundTrip(proxy)
  proxy.cut('toServer')
  const [socket] = accepted
  client.socket.destroy()
  await once(client.socket, 'close')
  expect(socket?.destroyed).toBe(false)
  proxy.heal()
  await eventually(() => expect(socket?.destroyed).toBe(true))
})

test.for([
  { way: 'toServer' as const, reaches: '' },
  { way: 'toClient' as const, reaches: 'said' },
])('cut $way, the other way works', async ({ way, reaches }) => {
  const { client, proxy, received, accepted } = await openStage()
  await eventually(() => expect(accepted.size).toBe(1))
  proxy.cut(way)
  client.socket.write('said')
  if (way === 'toServer') {
    for (const socket of accepted) socket.write('from the server')
    await eventually(() => expect(client.heard()).toBe('from the server'))
  } else await eventually(() => expect(received()).toBe('said'))
  expect(received()).toBe(reaches)
  proxy.heal()
  await eventually(() => expect(client.heard()).toContain('said'))
})

test('what is held back is bounded: the sender sees its own buffer fill', async () => {
  const { client, proxy, received } = await openStage()
  proxy.cut()
  const much = 'x'.repeat(64 * 1024 * 1024)
  expect(client.socket.write(much)).toBe(false)
  await roundTrip((await openStage()).proxy)
  expect(client.socket.writableLength).toBeGreaterThan(0)
  proxy.heal()
  await eventually(() => expect(received().length).toBe(much.length))
})

test('a reset breaks what is open, and takes what comes', async () => {
  const { client, proxy, accepted } = await openStage()
  await eventually(() => expect(accepted.size).toBe(1))
  proxy.reset()
  await eventually(() => expect([client.closed(), accepted.size]).toEqual([true, 0]))
  await roundTrip(proxy)
})

test('each piece can be looked at, and kept from the other side', async () => {
  const ways: string[] = []
  const { client, received } = await openStage({
    inspect: (data, way, connection) => {
      ways.push(`${way} ${data}`)
      if (String(data) === 'end') connection.destroy()
      return way === 'toServer'
    },
  })
  client.socket.write('hello')
  await eventually(() => expect(ways).toEqual(['toServer hello', 'toClient hello']))
  expect([received(), client.heard()]).toEqual(['hello', ''])
  client.socket.write('end')
  await eventually(() => expect(client.closed()).toBe(true))
})
