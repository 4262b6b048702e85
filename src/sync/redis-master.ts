/** The ways to one server: to a given one, or to the master that sentinels name, also when they name another one. */
import type { Clock } from '../core/ports.ts'
import { createRepeatedWork } from '../core/repeated-work.ts'
import { createLocatingConnector } from './redis-connector.ts'
import { type ConnectionOptions, connectionOptions, type LinkOptions } from './redis-link.ts'
import { findMaster } from './redis-sentinels.ts'
import type { Endpoint, RedisAddress } from './redis-url.ts'

/** Between questions to the sentinels: a master that was cut off from them does not close its connections. */
const ASK_MS = 3_000

export type ServerAddress = Extract<RedisAddress, { kind: 'server' | 'sentinel' }>

export interface MasterRoutes {
  /**
   * Options of one connection: it goes to the server, or to the one that sentinels name at each attempt.
   * @param moved called where they name another one than it goes to, until it goes there
   */
  route(moved: () => void): ConnectionOptions
  /** Asks the sentinels every three seconds, until the function it returns is called. */
  watch(clock: Clock): () => void
}

/** Throws AppError `setup_failed`. */
export function createMasterRoutes(options: Pick<LinkOptions<ServerAddress>, 'address' | 'node' | 'ca'>): MasterRoutes {
  const { address, node, ca } = options
  const connection = connectionOptions(address, node, ca)
  if (address.kind === 'server') return { route: () => ({ ...connection, ...address.hosts[0] }), watch: () => () => {} }
  const asking = connectionOptions(address.sentinels, node, ca)
  const ask = () => findMaster(address.hosts, address.master, asking)
  // Each by itself: where one of them went when it was opened says nothing of the others.
  const routes: { server: Endpoint | undefined; readonly moved: () => void }[] = []

  return {
    route(moved) {
      const route: (typeof routes)[number] = { server: undefined, moved }
      routes.push(route)
      const locate = async () => {
        route.server = await ask()
        return route.server
      }
      return { ...connection, Connector: createLocatingConnector(locate) }
    },
    watch(clock) {
      let watching = true
      const looks = createRepeatedWork(clock, ASK_MS, async () => {
        const before = routes.map(route => ({ route, server: route.server }))
        const now = await ask().catch(() => undefined)
        if (!watching) return
        for (const { route, server } of before)
          if (now !== undefined && server === route.server && isOther(server, now)) route.moved()
      })
      looks.start()
      return () => {
        watching = false
        void looks.stop()
      }
    },
  }
}

function isOther(server: Endpoint | undefined, now: Endpoint): boolean {
  return server !== undefined && (server.host !== now.host || server.port !== now.port)
}
