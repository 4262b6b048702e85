/** Who may do what, by roles and by how fresh the factor is. */
import { expect, test } from 'vitest'
import { authorize, PERMISSIONS, type Permission, permits } from '../../src/accounts/permissions.ts'
import { ROLES, type Role } from '../../src/machines/user/events.ts'

const ALLOWED: Record<Permission, string> = {
  'users.read': 'admin operator',
  'users.manage': 'admin',
  'users.erase': 'admin',
  'roles.manage': 'admin',
  'sessions.manage': 'admin',
  'audit.read': 'admin operator',
  'streams.view': 'admin operator viewer',
  'streams.control': 'admin operator',
  'recordings.manage': 'admin operator',
  'billing.manage': 'admin',
  'conflicts.settle': 'admin operator',
  'backups.manage': 'admin',
  'keys.manage': 'admin',
}

test.each(Object.keys(PERMISSIONS) as Permission[])('%s is for the roles that are meant', permission => {
  expect(ROLES.filter(role => permits([role], permission)).join(' ')).toBe(ALLOWED[permission])
  expect(permits([], permission)).toBe(false)
})

test('of several roles one is enough', () => {
  expect(authorize({ roles: ['viewer', 'admin'], factorAt: null }, 'users.manage')).toBeUndefined()
})

test.each<[string, readonly Role[], string | null, string | undefined]>([
  ['no factor', ['admin'], null, 'factor_required'],
  ['one shown a moment ago', ['admin'], '2026-01-01T11:55:00.000Z', undefined],
  ['one shown a moment too long ago', ['admin'], '2026-01-01T11:54:59.999Z', 'factor_required'],
  ['a time that is none', ['admin'], 'infinity', 'factor_required'],
  ['a fresh factor and the wrong role', ['operator'], '2026-01-01T12:00:00.000Z', 'forbidden'],
  ['the wrong role and no factor', ['viewer'], null, 'forbidden'],
])('where the factor has to be fresh: %s', (_, roles, factorAt, reason) => {
  const fresh = { now: Date.parse('2026-01-01T12:00:00Z'), withinMs: 300_000 }
  expect(authorize({ roles, factorAt }, 'users.manage', fresh)?.reason).toBe(reason)
})
