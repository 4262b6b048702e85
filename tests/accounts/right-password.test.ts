/** A hash that is never computed lets nobody in, wherever a password is asked for again. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CostStage, createCostStage } from './cost-stage.ts'
import { granted, PASSWORD } from './granted.ts'

let stage: CostStage
beforeAll(async () => {
  // Nothing is ever fresh, so that the password is asked for.
  stage = await createCostStage({ stepUpMs: -1 })
})
afterAll(() => stage.close())

test.each(['no hash at all', '$argon2id$v=19$m=4194304,t=99,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo'])(
  'of an account with %s no password is right',
  async passwordHash => {
    const { node, accounts } = stage
    const username = `user${passwordHash.length}`
    const email = `${username}@example.org`
    const made = granted(await node.create('user', { type: 'user.registered', username, email, passwordHash }))
    const { token } = granted(await accounts.createSession(made.actor.id))
    const wrong = { ok: false, reason: 'invalid_credentials' }
    expect(await accounts.enrolTotp(token, { password: PASSWORD })).toMatchObject(wrong)
    expect(await accounts.changeEmail(token, { email: 'mine@example.org', password: PASSWORD })).toMatchObject(wrong)
    expect(await accounts.reauthenticate(token, PASSWORD)).toMatchObject(wrong)
  },
)
