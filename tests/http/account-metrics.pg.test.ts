/** The figures of accounts for Prometheus, and what health says of them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registerUser, signIn } from '../support/accounts.ts'
import { startRuntime, type TestRuntime, TOKEN } from '../support/runtime.ts'

let runtime: TestRuntime
beforeAll(async () => {
  runtime = await startRuntime()
})
afterAll(() => runtime.stop())

async function figures(): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${runtime.server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
  const samples = [...(await answer.text()).matchAll(/^rootstream_(\S+) (\S+)$/gm)]
  return new Map(samples.map(([, name = '', value]) => [name, Number(value)]))
}

test('logins, ends, refusals and attempts are counted', async () => {
  const before = await figures()
  const grown = async (name: string) => ((await figures()).get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN)
  const { accounts, log } = runtime.node
  const userId = await registerUser(runtime.node, 'ada')
  const first = await signIn(runtime.node, 'ada')
  await signIn(runtime.node, 'ada')
  await signIn(runtime.node, 'ada')
  await accounts.login({ login: 'ada', password: 'wrong' })
  await accounts.logout(first.token)
  await accounts.validate(first.token)
  await accounts.administration.deactivate(userId, undefined)
  await accounts.administration.deactivate(userId, undefined)
  for (const success of [true, false, false]) {
    const attempt = runtime.node.actor('mfa-attempt', await log.nextId('mfa-attempt'))
    await attempt.send({ type: 'mfa.attempted', userId, method: 'totp', success })
  }
  expect(await grown('sessions_opened_total')).toBe(3)
  expect(await grown('sessions_ended_total{how="closed"}')).toBe(1)
  expect(await grown('sessions_ended_total{how="revoked"}')).toBeGreaterThanOrEqual(2)
  expect(await grown('account_refusals_total{reason="invalid_credentials"}')).toBe(1)
  expect(await grown('account_refusals_total{reason="invalid_session"}')).toBe(1)
  expect(await grown('account_refusals_total{reason="not_in_this_state"}')).toBe(1)
  expect(await grown('account_refusals_total{reason="too_many_attempts"}')).toBe(0)
  expect(await grown('factor_attempts_total{method="totp",outcome="shown"}')).toBe(1)
  expect(await grown('factor_attempts_total{method="totp",outcome="missed"}')).toBe(2)
  expect((await figures()).get('component_ok{component="accounts"}')).toBe(1)
})
