/** Better Auth over Node's HTTP server: sessions in Postgres, or in Redis as its secondary storage. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { AuthSide, AuthSideOptions } from './auth-child.ts'

/** What the bench uses of it. It is installed beside the benchmarks, not with the runtime, so its own types are not at hand. */
interface BetterAuth {
  readonly api: { signUpEmail(call: { body: { name: string; email: string; password: string } }): Promise<unknown> }
}

async function load() {
  const [main, migration, node] = ['better-auth', 'better-auth/db/migration', 'better-auth/node']
  const { betterAuth } = (await import(main as string)) as { betterAuth(options: object): BetterAuth }
  const { getMigrations } = (await import(migration as string)) as {
    getMigrations(options: object): Promise<{ runMigrations(): Promise<void> }>
  }
  const { toNodeHandler } = (await import(node as string)) as { toNodeHandler(auth: BetterAuth): RequestListener }
  return { betterAuth, getMigrations, toNodeHandler }
}

export async function open({ database, redis, sessionsInRedis }: AuthSideOptions): Promise<AuthSide> {
  const { betterAuth, getMigrations, toNodeHandler } = await load()
  const pool = new pg.Pool({ connectionString: database, max: 20 })
  const client = sessionsInRedis ? new Redis(redis) : undefined
  const options = {
    baseURL: 'http://127.0.0.1',
    secret: 'a-secret-of-the-bench-with-32-characters',
    database: pool,
    emailAndPassword: { enabled: true },
    // Nothing is counted, so that nothing is refused.
    rateLimit: { enabled: false },
    advanced: { disableCSRFCheck: true, disableOriginCheck: true },
    telemetry: { enabled: false },
    logger: { disabled: true },
    ...(client === undefined
      ? {}
      : {
          secondaryStorage: {
            get: (key: string) => client.get(key),
            getAndDelete: (key: string) => client.getdel(key),
            increment: async (key: string, ttl: number) => {
              const count = await client.incr(key)
              if (count === 1) await client.expire(key, ttl)
              return count
            },
            set: async (key: string, value: string, ttl?: number) => {
              await (ttl === undefined ? client.set(key, value) : client.set(key, value, 'EX', ttl))
            },
            delete: async (key: string) => {
              await client.del(key)
            },
          },
        }),
  }
  await (await getMigrations(options)).runMigrations()
  const auth = betterAuth(options)
  const server = createServer(toNodeHandler(auth))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    register: async (name, password) => {
      await auth.api.signUpEmail({ body: { name, email: `${name}@example.org`, password } })
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      client?.disconnect()
      await pool.end()
    },
  }
}
