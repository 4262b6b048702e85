import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createPool, withConnection } from '../../src/eventstore/pool.ts'
import { silentLogger } from '../../src/logging.ts'

describe('an address', () => {
  const secret = 'hunter2'

  test.each([
    `mysql://user:${secret}@localhost/db`,
    `postgres://user:${secret}@local host:port/db`,
    `postgres://user:${secret}@localhost:5432/db?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`,
    secret,
  ])('that cannot be used is refused at once, without its password (%#)', url => {
    try {
      createPool({ url, log: silentLogger })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_input' })
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret)
    }
  })

  test('says which certificate it did not find', () => {
    expect(() => createPool({ url: 'postgres://localhost/db?sslrootcert=/nowhere/ca.pem', log: silentLogger })).toThrow(
      '/nowhere/ca.pem',
    )
  })

  test.each([
    'postgres://user@localhost/db',
    'postgresql://user:p%40ss@[::1]:5433/db',
    'postgres://user@/db?host=/run/postgresql',
    'postgres://user:pass@%2Frun%2Fpostgresql/db',
    'postgres://localhost/db?sslmode=no-verify',
  ])('%s is one', async url => {
    await createPool({ url, log: silentLogger }).end()
  })
})

test('a server that takes connections and says nothing is away, and no mistake of ours', async ({ onTestFinished }) => {
  const open: Socket[] = []
  const server = createServer(socket => void open.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const url = `postgres://user@127.0.0.1:${(server.address() as AddressInfo).port}/db`
  await expect(withConnection(url, async () => undefined)).rejects.toMatchObject({ code: 'log_unavailable' })
})
