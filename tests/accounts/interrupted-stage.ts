/** Accounts on a node in memory whose commands a test interrupts: something else happens right before one is sent. */
import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts'
import type { AccountSettings } from '../../src/accounts/settings.ts'
import { ACCOUNT_DEFAULTS } from '../../src/accounts/settings.ts'
import { createNode, type RuntimeNode } from '../../src/app.ts'
import { createKeyRing } from '../../src/auth/key-ring.ts'
import { createPasswordHasher } from '../../src/auth/password-hasher.ts'
import { silentLogger } from '../../src/logging.ts'
import { CHEAP } from './cost-stage.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'
import { quietPorts } from './quiet-ports.ts'
import { createStillClock, STEP_MS } from './still-clock.ts'

export interface InterruptedStage {
  readonly node: RuntimeNode
  readonly accounts: Accounts
  readonly clock: ReturnType<typeof createStillClock>
  /** Runs once, right before the next event of the type is sent; what it throws fails that command. */
  interrupt(type: string, work: () => Promise<unknown>): void
  /** A new user with a session. */
  registered(username: string): Promise<{ readonly userId: number; readonly token: string }>
  /** The same with an authenticator app. */
  enrolled(username: string): Promise<{
    readonly userId: number
    readonly token: string
    readonly secret: string
    readonly backupCodes: readonly string[]
  }>
  /** The code the app shows now; each call moves the clock to the next one. */
  code(secret: string): string
}

export async function startInterruptedStage(settings: Partial<AccountSettings> = {}): Promise<InterruptedStage> {
  const clock = createStillClock()
  const node = await createNode({ memory: true, name: 'stage', log: silentLogger, clock })
  onTestFinished(() => node.close())
  const interruptions = new Map<string, () => Promise<unknown>>()
  const ports = await quietPorts(node, {
    clock,
    settings: { ...ACCOUNT_DEFAULTS, ...settings },
    hasher: createPasswordHasher({ cost: CHEAP }),
    keys: createKeyRing([{ id: 'test', key: randomBytes(32) }]),
    actor: (type, id) => {
      const handle = node.actor(type, id)
      return {
        ...handle,
        send: async (event, options) => {
          const work = interruptions.get(event.type)
          interruptions.delete(event.type)
          await work?.()
          return handle.send(event, options)
        },
      }
    },
  })
  const accounts = createAccounts(ports)
  const registered = async (username: string) => {
    granted(await accounts.register({ username, email: `${username}@example.org`, password: PASSWORD }))
    return granted(await accounts.login({ login: username, password: PASSWORD }))
  }
  const code = (secret: string) => {
    clock.moveOn(STEP_MS)
    return codeOf(secret, clock.now())
  }
  return {
    ...{ node, accounts, clock, registered, code },
    interrupt: (type, work) => void interruptions.set(type, work),
    enrolled: async username => {
      const { token } = await registered(username)
      const { secret } = granted(await accounts.enrolTotp(token))
      const { backupCodes = [], ...opened } = granted(await accounts.confirmTotp(token, code(secret)))
      return { ...opened, secret, backupCodes }
    },
  }
}
