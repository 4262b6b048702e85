/** A node that is killed in the middle of an enrolment: what the phone has is good on the next one, or is begun anew. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'
import { silentLogger } from '../../src/logging.ts'
import { type NodeProcess, startNodeProcess } from '../support/cli-process.ts'
import { createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TEST_KEYS } from '../support/test-keys.ts'
import { codeOf, granted, PASSWORD } from './granted.ts'

type Json = Record<string, unknown>

async function post(node: NodeProcess, route: string, body: Json, token?: unknown): Promise<Json> {
  const answer = await fetch(node.url + route, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  return { status: answer.status, ...((await answer.json()) as Json) }
}

test('killed after the QR code was shown, and after it was confirmed', async ({ onTestFinished }) => {
  const database = await createTestDatabase()
  const folder = await temporaryFolder('enrolment')
  onTestFinished(async () => {
    await database.drop()
    await rm(folder, { recursive: true, force: true })
  })
  const registrar = await createNode({ database: database.url, keys: TEST_KEYS, log: silentLogger })
  granted(await registrar.accounts.register({ username: 'ada', email: 'ada@example.org', password: PASSWORD }))
  await registrar.close()
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: '',
    ROOTSTREAM_HOME: path.join(folder, 'home'),
    ROOTSTREAM_HTTP_PORT: '0',
    LOG_LEVEL: 'silent',
  }
  const credentials = { login: 'ada', password: PASSWORD }
  let node = await startNodeProcess(env)
  const restart = async () => {
    await node.kill()
    node = await startNodeProcess(env)
  }
  onTestFinished(async () => void (await node.stop()))

  const { token } = await post(node, '/api/auth/login', credentials)
  const abandoned = await post(node, '/api/auth/mfa/totp/enrol', {}, token)
  await restart()
  expect(await post(node, '/api/auth/login', credentials)).not.toHaveProperty('pending')
  const enrolment = await post(node, '/api/auth/mfa/totp/enrol', {}, token)
  expect(enrolment).toMatchObject({ status: 200 })
  await restart()
  const confirm = (secret: unknown) =>
    post(node, '/api/auth/mfa/totp/confirm', { code: codeOf(String(secret), Date.now()) }, token)
  expect(await confirm(abandoned['secret'])).toMatchObject({ status: 401, code: 'invalid_code' })
  const confirmed = await confirm(enrolment['secret'])
  expect(confirmed).toMatchObject({ status: 200 })
  await restart()
  const waiting = await post(node, '/api/auth/login', credentials)
  expect(waiting).toMatchObject({ status: 200, pending: true })
  const [code] = confirmed['backupCodes'] as string[]
  const shown = await post(node, '/api/auth/mfa/verify', { method: 'backup_codes', code }, waiting['token'])
  expect(shown).toMatchObject({ status: 200, backupCodesLeft: 9 })
})
