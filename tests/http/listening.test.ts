/** Where HTTP listens: what stands in the way is named, and nothing that is not ours is removed. */
import { once } from 'node:events'
import { existsSync, linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { type HttpServer, startHttpServer } from '../../src/http/server.ts'
import { silentLogger } from '../../src/logging.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let node: RuntimeNode
let folder: string
let socket: string
let count = 0
beforeAll(async () => {
  folder = await temporaryFolder('listening')
  node = await createNode({ memory: true, name: 'memory', log: silentLogger })
})
afterAll(async () => {
  await node.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  socket = path.join(folder, `${++count}.sock`)
})

const listen = (options: { socket?: string; host?: string }): Promise<HttpServer> =>
  startHttpServer({
    node,
    host: '127.0.0.1',
    port: 0,
    token: 'a-token-of-the-tests',
    log: silentLogger,
    socket: undefined,
    ...options,
  })

test('a file in the place of the socket is kept, and named', async () => {
  writeFileSync(socket, 'notes')
  await expect(listen({ socket })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining(`The socket ${socket} cannot be opened`),
  })
  expect(readFileSync(socket, 'utf8')).toBe('notes')
})

test('a folder in the place of the socket is kept, and named', async () => {
  mkdirSync(socket)
  await expect(listen({ socket })).rejects.toMatchObject({ code: 'setup_failed' })
  expect(existsSync(socket)).toBe(true)
})

test('a socket that nobody answers on is left over, and replaced', async () => {
  const killed = createServer().listen(`${socket}.killed`)
  await once(killed, 'listening')
  linkSync(`${socket}.killed`, socket)
  killed.close()
  await once(killed, 'close')
  const server = await listen({ socket })
  expect(statSync(socket).isSocket()).toBe(true)
  await server.close()
})

test('a socket that somebody answers on is left alone', async () => {
  const other = createServer().listen(socket)
  await once(other, 'listening')
  await expect(listen({ socket })).rejects.toMatchObject({ code: 'already_running' })
  expect(statSync(socket).isSocket()).toBe(true)
  other.close()
})

test('a socket in a folder that is not there is told as what it is', async () => {
  await expect(listen({ socket: path.join(folder, 'none', 'api.sock') })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('ROOTSTREAM_SOCKET'),
  })
})

test.each(['192.0.2.1', 'no-such-host.invalid'])('an address that is not of this machine is named: %s', async host => {
  await expect(listen({ host })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('ROOTSTREAM_HTTP_HOST'),
  })
})
