/** Two nodes on one log, a mail server and a gateway of text messages, and users who read what comes. */
import { expect } from 'vitest'
import type { AccountSettings } from '../../src/accounts/settings.ts'
import type { RuntimeNode } from '../../src/index.ts'
import { codeOf, granted, PASSWORD } from '../accounts/granted.ts'
import { createAheadClock } from './ahead-clock.ts'
import type { TestDatabase } from './database.ts'
import { type MailServer, startMailServer } from './mail-server.ts'
import { startNodePair } from './node-pair.ts'
import { createRecordingLog, type RecordingLog } from './recording-log.ts'
import { type SmsGateway, startSmsGateway } from './sms-gateway.ts'
import { TEST_KEYS } from './test-keys.ts'

export const NEW_PASSWORD = 'staple battery horse correct'

export interface DeliveryStage {
  readonly node: RuntimeNode
  readonly other: RuntimeNode
  readonly database: TestDatabase
  readonly mail: MailServer
  readonly gateway: SmsGateway
  readonly log: RecordingLog
  /** Moves the clock of both nodes on. */
  pass(ms: number): void
  /** As both nodes tell the time. */
  now(): number
  /** With the token of a session, and the mail to verify the address read. */
  registered(username: string): Promise<{ userId: number; token: string; email: string; verification: string }>
  /** Gives them an authenticator app; answers the new token and what makes codes. */
  withTotp(token: string): Promise<{ token: string; code(): string }>
  close(): Promise<void>
}

export async function startDeliveryStage(accounts: Partial<AccountSettings> = {}): Promise<DeliveryStage> {
  const [mail, gateway] = await Promise.all([startMailServer(), startSmsGateway()])
  const log = createRecordingLog()
  const clock = createAheadClock()
  const { database, node, other, ...pair } = await startNodePair({
    keys: TEST_KEYS,
    mail: { url: mail.url, from: 'RootStream <ops@example.org>' },
    sms: { url: gateway.url, auth: { kind: 'bearer', secret: 'a-secret-of-the-gateway' } },
    accounts: { publicUrl: 'https://stream.example.org', ...accounts },
    log,
    clock,
  })
  return {
    ...{ node, other, database, mail, gateway, log },
    pass: clock.pass,
    now: () => clock.now(),
    registered: async username => {
      const email = `${username}@example.org`
      const { userId } = granted(await node.accounts.register({ username, email, password: PASSWORD }))
      const verification = tokenIn((await mail.mailTo(email)).body)
      const { token } = granted(await node.accounts.login({ login: username, password: PASSWORD }))
      return { userId, token, email, verification }
    },
    withTotp: async token => {
      const { secret } = granted(await node.accounts.enrolTotp(token))
      const code = () => codeOf(secret, clock.now())
      const session = granted(await node.accounts.confirmTotp(token, code()))
      clock.pass(30_000)
      return { token: session.token, code }
    },
    close: async () => {
      await pair.close()
      await Promise.all([mail.close(), gateway.close()])
    },
  }
}

export function tokenIn(body: string): string {
  return /#token=(rst_\S+)/.exec(body)?.[1] ?? expect.unreachable(`no token in: ${body}`)
}

export function codeIn(text: string): string {
  return /code is ([0-9]{6,8})\b/.exec(text)?.[1] ?? expect.unreachable(`no code in: ${text}`)
}
