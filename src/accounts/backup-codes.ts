/** Backup codes of a user: shown once, kept as keyed hashes, each good for one login without the other factors. */
import { newBackupCodes, normalBackupCode } from '../auth/backup-codes.ts'
import { AppError } from '../core/errors.ts'
import { type AccountRefusal, refused } from './answers.ts'
import { mayChangeFactors } from './factor-changes.ts'
import { demandedOf, type Factor, factorOf } from './factors.ts'
import { changingFactors } from './in-turn.ts'
import type { AccountPorts } from './ports.ts'
import type { ShownSession } from './shown-session.ts'

export interface NewBackupCodes {
  readonly ok: true
  readonly backupCodes: readonly string[]
}

/** Ten new ones; all older ones are void. */
export async function replaceBackupCodes(
  ports: AccountPorts,
  session: ShownSession,
): Promise<NewBackupCodes | AccountRefusal> {
  const { userId } = session
  return changingFactors(ports, session, async () => {
    if ((await demandedOf(ports, userId)).length === 0)
      return refused('factor_required', 'Backup codes stand in for a factor, and there is none yet. Enrol one first.')
    const refusal = await mayChangeFactors(ports, session)
    return refusal ?? ({ ok: true, backupCodes: await issueBackupCodes(ports, userId) } as const)
  })
}

/** Another request may enrol or remove them at the same moment. */
const MAX_TRIES = 3

/** Without asking for anything: the caller has. */
export async function issueBackupCodes(ports: AccountPorts, userId: number): Promise<readonly string[]> {
  const codes = newBackupCodes()
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const existing = await factorOf(ports, userId, 'backup_codes')
    const id = existing?.handle.ref.id ?? (await ports.nextId('factor'))
    const backupCodes = codes.map(code => hashOf(ports, id, code) ?? '')
    const event =
      existing === undefined
        ? { type: 'factor.enrolled', userId, method: 'backup_codes', backupCodes }
        : { type: 'factor.backup.replaced', backupCodes }
    if ((await ports.actor('factor', id).send(event, { userId })).ok) return codes
  }
  throw new AppError('conflict', 'The backup codes were changed elsewhere at the same time. Ask for new ones again.')
}

/** Uses a code up, once over all nodes. */
export async function useBackupCode(ports: AccountPorts, { handle }: Factor, code: string): Promise<boolean> {
  const codeHash = hashOf(ports, handle.ref.id, code)
  return codeHash !== undefined && (await handle.send({ type: 'factor.backup.used', codeHash })).ok
}

export async function backupCodesLeft(ports: AccountPorts, userId: number): Promise<number> {
  return (await factorOf(ports, userId, 'backup_codes'))?.context.row?.backup_codes?.length ?? 0
}

function hashOf({ keys }: AccountPorts, factorId: number, typed: string): string | undefined {
  const code = normalBackupCode(typed)
  return code === undefined ? undefined : keys.fingerprint(code, `factor/${factorId}/backup`)
}
