/** What a careless program gives as settings: the node does not start, rather than run without a protection. */
import { expect, onTestFinished, test } from 'vitest'
import { ACCOUNT_DEFAULTS, type AccountSettings } from '../../src/accounts/settings.ts'
import { createNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'

const start = (accounts: object) =>
  createNode({ memory: true, log: silentLogger, accounts: accounts as Partial<AccountSettings> })

test('a setting that is undefined is the default, and switches nothing off', async () => {
  const undefinedAll = Object.fromEntries(Object.keys(ACCOUNT_DEFAULTS).map(name => [name, undefined]))
  const node = await start(undefinedAll)
  onTestFinished(() => node.close())
  expect(node.accounts.settings).toEqual(ACCOUNT_DEFAULTS)
})

test.each<[string, object]>([
  ['idleMs', { idleMs: Number('soon') }],
  ['absoluteMs', { absoluteMs: 0 }],
  ['maxStaleMs', { maxStaleMs: Number.POSITIVE_INFINITY }],
  ['stepUpMs', { stepUpMs: '5m' }],
  ['onNewDevice', { onNewDevice: 'stepup' }],
  ['registration', { registration: 'OPEN' }],
  ['passwordMinLength', { passwordMinLength: 4 }],
  ['codeDigits', { codeDigits: 4 }],
  ['sessionLimits.viewer', { sessionLimits: { admin: { most: 1, policy: 'refuse' } } }],
  ['sessionLimits.admin.most', { sessionLimits: { ...ACCOUNT_DEFAULTS.sessionLimits, admin: { most: 0 } } }],
  ['passwordHashing.atOnce', { passwordHashing: { ...ACCOUNT_DEFAULTS.passwordHashing, atOnce: 0 } }],
  ['attemptBudgets.login.account.within', { attemptBudgets: { 'login.account': { free: 3 } } }],
  ['publicUrl', { publicUrl: 'http://stream.example.org' }],
  ['passkeyDomain', { publicUrl: 'https://stream.example.org', passkeyDomain: 'example.com' }],
  ['idleTime', { idleTime: 5 }],
])('a node does not start with a wrong setting, and names it: %s', async (name, settings) => {
  await expect(start(settings)).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining(name.startsWith('idleTime') ? '"idleTime"' : `accounts.${name}`),
  })
})
