/** What the owner of an account is told by mail of what happened to it, whoever did it and by whichever way. */
import type { LogEvent } from '../core/event.ts'
import type { FactorContext } from '../machines/factor/machine.ts'
import type { FactorRow } from '../machines/factor/row.ts'
import type { UserContext } from '../machines/user/machine.ts'
import { mailTo } from './address-mail.ts'
import { sendVerification } from './email-verification.ts'
import { type Notice, noticeLetter } from './letters.ts'
import { isNewDevice, openedBy } from './new-device.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import { type Account, readAccount } from './users.ts'

type Told = (ports: AccountPorts, event: LogEvent) => Promise<void>

/** By type of event. They follow its commit, on the node that made it: a crash right then loses them. */
const TOLD: Readonly<Record<string, Told>> = {
  'user.registered': async (ports, { actorId }) => sendVerification(ports, await readAccount(ports, actorId)),
  'user.updated': addressChanged,
  'user.password.changed': (ports, event) => tellUser(ports, event.actorId, 'password_changed', event.at),
  'user.login.recorded': signedIn,
  'factor.enrolled': factorAdded,
  'factor.confirmed': factorAdded,
  'factor.passkey.added': factorAdded,
  'factor.passkey.removed': factorRemoved,
  'factor.removed': factorRemoved,
  'factor.passkey.doubted': passkeyDoubted,
  'factor.backup.used': backupCodeUsed,
}

/** To be called with each append of this node, after its commit. */
export function tellOwners(ports: AccountPorts, events: readonly LogEvent[]): void {
  if (!ports.delivery.offers('mail')) return
  for (const event of events) {
    const told = Object.hasOwn(TOLD, event.type) ? TOLD[event.type] : undefined
    if (told !== undefined) ports.background.run(`the mail about ${event.type}`, () => told(ports, event))
  }
}

async function addressChanged(ports: AccountPorts, { actorId, version, data, at }: LogEvent): Promise<void> {
  if (data['email'] === undefined) return
  const account = await readAccount(ports, actorId)
  const before = (await account.handle.stateAt({ version: version - 1 })).context as unknown as UserContext
  if (before.row?.email === data['email']) return
  await sendVerification(ports, account)
  tell(ports, { ...account, context: before }, 'email_changed', at)
}

async function factorAdded(ports: AccountPorts, { actorId, version, at }: LogEvent): Promise<void> {
  const { row } = (await ports.actor('factor', actorId).stateAt({ version })).context as unknown as FactorContext
  if (!isTold(row)) return
  await tellUser(ports, row.user_id, 'factor_added', at, nameOf(row.method))
}

async function factorRemoved(ports: AccountPorts, { actorId, version, at }: LogEvent): Promise<void> {
  const before = await ports.actor('factor', actorId).stateAt({ version: version - 1 })
  const { row } = before.context as unknown as FactorContext
  if (isTold(row)) await tellUser(ports, row.user_id, 'factor_removed', at, nameOf(row.method))
}

/** An enrolment that waits for its first code is none yet, and backup codes come and go with a factor. */
function isTold(row: FactorRow | null): row is FactorRow {
  return row?.is_enabled === true && row.method !== 'backup_codes'
}

async function passkeyDoubted(ports: AccountPorts, { actorId, data, at }: LogEvent): Promise<void> {
  const { row, passkeys } = (await ports.actor('factor', actorId).state()).context as unknown as FactorContext
  const label = passkeys.find(({ id }) => id === data['id'])?.label ?? 'removed meanwhile'
  if (row !== null) await tellUser(ports, row.user_id, 'passkey_doubted', at, label)
}

async function backupCodeUsed(ports: AccountPorts, { actorId, version, at }: LogEvent): Promise<void> {
  const { row } = (await ports.actor('factor', actorId).stateAt({ version })).context as unknown as FactorContext
  if (row !== null) await tellUser(ports, row.user_id, 'backup_code_used', at, String(row.backup_codes?.length ?? 0))
}

async function signedIn(ports: AccountPorts, event: LogEvent): Promise<void> {
  if (!ports.settings.tellNewDevice || !(await isNewDevice(ports, event))) return
  const { row } = (await readSession(ports, openedBy(event) ?? 0)).context
  await tellUser(ports, event.actorId, 'new_device', event.at, row?.ip_address ?? 'not known')
}

async function tellUser(
  ports: AccountPorts,
  userId: number,
  notice: Notice,
  at: string,
  detail?: string,
): Promise<void> {
  tell(ports, await readAccount(ports, userId), notice, at, detail)
}

function tell(ports: AccountPorts, account: Account, notice: Notice, at: string, detail?: string): void {
  if (account.context.row !== null) mailTo(ports, account, noticeLetter(ports.settings, notice, at, detail))
}

function nameOf(method: string): string {
  const names: Readonly<Record<string, string>> = {
    totp: 'an authenticator app',
    email: 'codes by mail',
    sms: 'codes by text message',
    passkey: 'a passkey',
  }
  return names[method] ?? 'a factor'
}
