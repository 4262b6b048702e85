/** Accounts on a node in memory, with a hasher that counts: what an answer has cost can be compared. */
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts'
import { createAttemptLimiter } from '../../src/accounts/attempt-limiter.ts'
import type { AttemptLimiter } from '../../src/accounts/attempts.ts'
import { ACCOUNT_DEFAULTS, type AccountSettings } from '../../src/accounts/settings.ts'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { type Argon2Cost, createPasswordHasher } from '../../src/auth/password-hasher.ts'
import { silentLogger } from '../../src/logging.ts'
import { systemClock } from '../../src/system-clock.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { quietPorts } from './quiet-ports.ts'

/** Cheap, for tests that make many. */
export const CHEAP: Argon2Cost = { m: 64, t: 1, p: 1 }

export interface CostStage {
  readonly node: RuntimeNode
  readonly accounts: Accounts
  readonly log: RecordingLog
  readonly attempts: AttemptLimiter
  /** What the work computed and asked the log, in any order. */
  costOf<Answer>(work: () => Promise<Answer>): Promise<{ readonly answer: Answer; readonly work: readonly string[] }>
  close(): Promise<void>
}

export async function createCostStage(
  settings: Partial<AccountSettings> = {},
  given?: RuntimeNode,
): Promise<CostStage> {
  const node = given ?? (await createNode({ memory: true, name: 'stage', log: silentLogger }))
  const log = createRecordingLog()
  const attempts = createAttemptLimiter({ clock: systemClock, budgets: { ...settings.attemptBudgets } })
  let done: string[] = []
  const ports = await quietPorts(node, {
    log,
    settings: { ...ACCOUNT_DEFAULTS, ...settings },
    hasher: createPasswordHasher({
      ...settings.passwordHashing,
      cost: CHEAP,
      onCompute: ({ m, t, p }) => void done.push(`hash ${m}/${t}/${p}`),
    }),
    attempts: {
      ...attempts,
      begin: (kind, key) => {
        done.push(`begin ${kind}`)
        return attempts.begin(kind, key)
      },
      isNoted: key => {
        done.push('is noted')
        return attempts.isNoted(key)
      },
    },
    actor: (type, id) => {
      const handle = node.actor(type, id)
      return {
        ...handle,
        state: options => {
          done.push(`read ${type}`)
          return handle.state(options)
        },
        send: (event, options) => {
          done.push(`send ${event.type}`)
          return handle.send(event, options)
        },
      }
    },
    holderOf: claim => {
      done.push(`ask ${claim.kind}`)
      return node.log.holderOf(claim)
    },
  })
  const accounts = createAccounts(ports)
  return {
    node,
    accounts,
    log,
    attempts,
    costOf: async work => {
      done = []
      const answer = await work()
      return { answer, work: done.toSorted() }
    },
    close: async () => {
      if (given === undefined) await node.close()
    },
  }
}
