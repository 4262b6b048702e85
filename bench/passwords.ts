/** What signing in costs, and whether its time tells who has an account: the kinds of failure in turn, one at a time. */
import { createNode } from '../src/app.ts'
import { silentLogger } from '../src/logging.ts'
import type { BenchContext, BenchResult } from './bench.ts'
import { ENDLESS_BUDGETS } from './endless.ts'

const password = 'correct horse battery staple'
/** In flight, for the throughput. */
const AT_ONCE = 8
export async function passwords({ server, quick, progress }: BenchContext): Promise<BenchResult> {
  const node = await createNode({
    database: await server.database(),
    name: 'bench',
    log: silentLogger,
    accounts: { attemptBudgets: ENDLESS_BUDGETS },
  })
  try {
    const accounts = ['ada', 'bob']
    for (const username of accounts)
      await node.accounts.register({ username, email: `${username}@example.org`, password })
    const bob = await node.accounts.login({ login: 'bob', password })
    if (bob.ok) await node.actor('user', bob.userId).send({ type: 'user.deactivated' })
    const kinds = {
      wrongPassword: () => node.accounts.login({ login: 'ada', password: `${password}.` }),
      unknownName: () => node.accounts.login({ login: 'nobody', password }),
      deactivated: () => node.accounts.login({ login: 'bob', password }),
    }
    const times: Record<string, number[]> = Object.fromEntries(Object.keys(kinds).map(kind => [kind, []]))
    const rounds = quick ? 60 : 1_000
    progress(`${rounds} failures of each kind`)
    for (let round = 0; round < rounds; round++)
      for (const [kind, fail] of Object.entries(kinds)) {
        const began = performance.now()
        await fail()
        times[kind]?.push(performance.now() - began)
      }
    progress('logins')
    const logins = quick ? 80 : 1_000
    let left = logins
    const began = performance.now()
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) await node.accounts.login({ login: 'ada', password })
      }),
    )
    const seconds = (performance.now() - began) / 1_000
    const failures = Object.fromEntries(Object.entries(times).map(([kind, all]) => [kind, spreadOf(all)]))
    return { ours: { loginsPerSecond: Math.round(logins / seconds), failureMs: failures }, peers: {}, ratio: {} }
  } finally {
    await node.close()
  }
}

/** Milliseconds. */
function spreadOf(times: readonly number[]) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => Number((sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2))
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) }
}
