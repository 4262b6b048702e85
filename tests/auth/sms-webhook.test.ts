/** Text messages by a real HTTP gateway. */
import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/auth/delivery/delivery.ts'
import { openDelivery } from '../../src/auth/delivery/open-delivery.ts'
import { isSmsWebhook } from '../../src/auth/delivery/sms-webhook.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { type SmsGateway, startSmsGateway } from '../support/sms-gateway.ts'
import { eventually } from '../sync/eventually.ts'

const secret = 'a-secret-of-the-gateway'
const number = '+491701234567'
let gateway: SmsGateway
let clock: ManualClock
let log: RecordingLog
let delivery: Delivery | undefined

beforeEach(async () => {
  gateway = await startSmsGateway()
  clock = createManualClock('2026-01-01T00:00:00.000Z')
  log = createRecordingLog()
})
afterEach(async () => {
  await delivery?.stop()
  await gateway.close()
})

async function send(kind: 'bearer' | 'hmac' = 'bearer', to = number): Promise<Delivery> {
  delivery = await openDelivery({ sms: { url: gateway.url, auth: { kind, secret } }, clock, log })
  delivery.sms(to, 'Your code is 123456.', { until: clock.now() + 600_000 })
  return delivery
}

test('by a bearer secret', async () => {
  await send()
  const [received] = await gateway.received(1)
  expect(received).toMatchObject({
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    message: { to: number, text: 'Your code is 123456.', id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  })
  expect(received?.headers['idempotency-key']).toBe(received?.message.id)
})

test('signed, with a secret that stays here', async () => {
  await send('hmac')
  const [received] = await gateway.received(1)
  const body = received?.body ?? ''
  const expected = createHmac('sha256', secret).update(`1767225600.${body}`).digest('hex')
  expect(received?.headers['x-rootstream-signature']).toBe(`t=1767225600,v1=${expected}`)
  expect(JSON.stringify(received)).not.toContain(secret)
})

describe('a gateway', () => {
  test.each([503, 500, 429, 408])('that answers %i is asked again, under the same id', async status => {
    gateway.answer = (response, count) => void response.writeHead(count === 1 ? status : 200).end('{}')
    const sender = await send()
    await eventually(() => expect(clock.nextAt).toBe(clock.now() + 2_000))
    expect(clock.runNext()).toBe(true)
    await sender.idle()
    expect(gateway.texts.map(({ message }) => message.id)).toEqual([
      gateway.texts[0]?.message.id,
      gateway.texts[0]?.message.id,
    ])
    expect(log.lines[0]?.fields).toMatchObject({ channel: 'sms', status })
  })

  test.each([400, 401, 404, 302])('that answers %i is not asked again, nor followed', async status => {
    gateway.answer = response => void response.writeHead(status, { location: `${gateway.url}/elsewhere` }).end()
    await (await send()).idle()
    expect(gateway.texts).toHaveLength(1)
    expect(log.lines.at(-1)?.fields).toMatchObject({ why: `the gateway refused it: ${status}` })
  })

  test('that answers without an end has answered', async () => {
    gateway.answer = response => {
      response.writeHead(200)
      const more = () => void (response.destroyed || response.write(Buffer.alloc(65_536), more))
      more()
    }
    await (await send()).idle()
    expect(log.lines.map(({ level }) => level)).toEqual(['debug'])
  })

  test('that does not answer holds a message no longer than an attempt may take', async () => {
    gateway.answer = () => undefined
    await send()
    await gateway.received(1)
    expect(clock.nextAt).toBe(clock.now() + 20_000)
    clock.runNext()
    await eventually(() => expect(log.lines.at(-1)?.message).toBe('a message waits for its next attempt'))
    expect(log.lines.at(-1)?.fields).toMatchObject({ failure: 'AbortError' })
  })

  test('shows in no line of the log, nor do number and code', async () => {
    gateway.answer = (response, count) => void response.writeHead(count === 1 ? 500 : 400).end(`no ${number}`)
    const sender = await send()
    await eventually(() => expect(clock.nextAt).toBe(clock.now() + 2_000))
    clock.runNext()
    await sender.idle()
    expect(log.lines).toHaveLength(2)
    expect(JSON.stringify(log.lines)).not.toMatch(/4917|123456|a-secret/)
  })
})

test.each(['0170 1234567', '+49 170', '+0123456789', '+4917012345678901', '+491701234567\n', '<script>'])(
  'no message goes to a number like %j',
  async to => {
    await (await send('bearer', to)).idle()
    expect(gateway.texts).toEqual([])
    expect(log.lines.at(-1)?.fields).toMatchObject({ why: 'the number is not + and 7 to 15 digits' })
  },
)

test.each([
  ['https://sms.example.org/v1?account=2', true],
  ['http://127.0.0.1:9000/sms', true],
  ['http://localhost/sms', true],
  ['http://sms.example.org', false],
  ['https://user:secret@sms.example.org', false],
  ['ftp://sms.example.org', false],
  ['file:///etc/passwd', false],
  ['http://127.0.0.1.example.org', false],
  ['sms.example.org', false],
])('%s: %s', (url, expected) => expect(isSmsWebhook(url)).toBe(expected))

test('a short secret, or one with spaces, is refused', async () => {
  for (const wrong of ['short', 'a secret with some spaces in it', 'a-secret-with-\r\nx: y'])
    await expect(
      openDelivery({ sms: { url: gateway.url, auth: { kind: 'bearer', secret: wrong } }, clock, log }),
    ).rejects.toMatchObject({ code: 'invalid_input', message: expect.not.stringContaining(wrong) })
})
