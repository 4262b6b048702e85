/** Showing a factor: it completes a login, or makes an open session fresh for what asks for that. */
import type { FactorMethod } from '../machines/factor/events.ts'
import type { Method } from '../machines/session/events.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { backupCodesLeft, useBackupCode } from './backup-codes.ts'
import type { Client } from './client.ts'
import { factorShown, recordAttempt, tooManyCodes } from './factor-shown.ts'
import { type Factor, factorOf } from './factors.ts'
import type { AccountPorts } from './ports.ts'
import { useSentCode } from './sent-codes.ts'
import { isFull, type OpenedSession } from './sessions.ts'
import type { ShownSession } from './shown-session.ts'
import { useTotp } from './totp.ts'

/** Factors that are shown by a code. */
export const CODE_METHODS = ['totp', 'email', 'sms', 'backup_codes'] as const satisfies readonly FactorMethod[]
export type CodeMethod = (typeof CODE_METHODS)[number]

export interface CodeShown {
  readonly method: CodeMethod
  readonly code: string
}

interface CodeCheck {
  /** As the session and the attempts call it. */
  readonly method: Method
  /** Uses the code up; false where it is wrong, over or used. */
  use(ports: AccountPorts, factor: Factor, code: string): Promise<boolean>
}

const CHECKS: Readonly<Record<CodeMethod, CodeCheck>> = {
  totp: { method: 'totp', use: useTotp },
  email: { method: 'email', use: useSentCode },
  sms: { method: 'sms', use: useSentCode },
  backup_codes: { method: 'backup_code', use: useBackupCode },
}

export type VerifiedSession = OpenedSession & {
  /** After a backup code. */
  readonly backupCodesLeft?: number
}

/** An app is what it was when it was enrolled, and the log says which of its codes were used: memory will do. Codes that were sent or made anew are in the log alone. */
async function factorShownBy(ports: AccountPorts, userId: number, method: CodeMethod): Promise<Factor | undefined> {
  const { maxStaleMs } = ports.settings
  const known = method === 'totp' ? await factorOf(ports, userId, method, { maxStaleMs }) : undefined
  return known?.enabled === true ? known : factorOf(ports, userId, method)
}

async function isEnabled({ handle }: Factor): Promise<boolean> {
  const { row } = (await handle.state()).context as unknown as Factor['context']
  return row?.is_enabled === true
}

/** One budget for all methods: who is out of attempts with one is out of them with the others. */
export async function verifyFactor(
  ports: AccountPorts,
  { sessionId, userId, pending }: ShownSession,
  { method, code }: CodeShown,
  client: Client,
): Promise<VerifiedSession | AccountRefusal> {
  if (pending && (await isFull(ports, userId))) return refused('session_limit')
  const budget = await ports.attempts.take('factor', String(userId))
  if (!budget.ok) return tooManyCodes(budget.retryAfterMs)
  const check = CHECKS[method]
  const factor = await factorShownBy(ports, userId, method)
  const success = factor?.enabled === true && (await check.use(ports, factor, code))
  const recorded = recordAttempt(ports, { userId, method: check.method, success, ipAddress: client.ipAddress })
  if (!success) {
    await recorded
    return refused('invalid_code')
  }
  // Together: they wait for the same commits.
  const [opened] = await Promise.all([
    factorShown(ports, sessionId, check.method, client, () => isEnabled(factor)),
    recorded,
    ports.attempts.clear('factor', String(userId)),
  ])
  if (!opened.ok || method !== 'backup_codes') return opened
  return { ...opened, backupCodesLeft: await backupCodesLeft(ports, userId) }
}
