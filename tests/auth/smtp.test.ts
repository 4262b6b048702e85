/** Mails over a real SMTP server: encrypted, signed in, and one that is down, slow, greylisting or refusing. */
import net from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/auth/delivery/delivery.ts'
import { parseSender } from '../../src/auth/delivery/mail-address.ts'
import { openDelivery } from '../../src/auth/delivery/open-delivery.ts'
import type { OutboxLimits } from '../../src/auth/delivery/outbox.ts'
import type { SmtpOptions } from '../../src/auth/delivery/smtp.ts'
import { parseSmtpUrl } from '../../src/auth/delivery/smtp-url.ts'
import { systemClock } from '../../src/system-clock.ts'
import { type Certificate, createCertificate } from '../support/certificate.ts'
import { type MailServer, startMailServer } from '../support/mail-server.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { eventually } from '../sync/eventually.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const part of opened.splice(0).reverse()) await part.close()
})

let certificate: Certificate
beforeAll(async () => {
  certificate = await createCertificate()
})
afterAll(() => certificate.remove())

async function serve(options: Parameters<typeof startMailServer>[0] = {}): Promise<MailServer> {
  const server = await startMailServer(options)
  opened.push(server)
  return server
}

/** A clock that stands still decides on pauses and ends; with the system's, attempts end by themselves. */
async function deliveryTo(
  options: Partial<SmtpOptions> & { url: string },
  { clock = createManualClock(), ...limits }: Partial<OutboxLimits> & { clock?: ManualClock | typeof systemClock } = {},
) {
  const log = createRecordingLog()
  const mail = { from: 'RootStream <ops@example.org>', ...options }
  const delivery: Delivery = await openDelivery({ mail, clock, log, limits })
  opened.push({ close: () => delivery.stop() })
  const send = (to = 'ada@example.org', name?: string) =>
    delivery.mail(to, 'Your code', 'It is 123456.', {
      until: clock.now() + 600_000,
      ...(name === undefined ? {} : { replaces: name }),
    })
  const said = () => log.lines.map(({ fields, message }) => ({ ...fields, message }))
  return { delivery, log, clock: clock as ManualClock, send, said }
}

describe('a mail', () => {
  test('says who sends it, to whom, and that no person wrote it', async () => {
    const server = await serve()
    const { send } = await deliveryTo({ url: server.url })
    send()
    const { from, to, headers, body } = await server.mailTo('ada@example.org')
    expect({ from, to }).toEqual({ from: 'ops@example.org', to: ['ada@example.org'] })
    expect(Object.fromEntries(headers)).toMatchObject({
      from: 'RootStream <ops@example.org>',
      to: 'ada@example.org',
      subject: 'Your code',
      'auto-submitted': 'auto-generated',
      'message-id': expect.stringMatching(/^<[0-9a-f-]{36}@example\.org>$/),
    })
    expect(body).toBe('It is 123456.\r\n')
  })

  test.each([
    'ada@example.org\r\nBcc: eve@example.org',
    'ada@example.org, eve@example.org',
    'Ada <ada@example.org>',
    '"a b"@example.org',
    'ada@example.org\n',
    '@example.org',
    '',
  ])('goes to no address like %j', async to => {
    const server = await serve()
    const { delivery, send, said } = await deliveryTo({ url: server.url })
    send(to)
    await delivery.idle()
    expect(server.connections).toBe(0)
    expect(said()).toEqual([expect.objectContaining({ why: 'the address is no plain mail address' })])
  })

  test('keeps what is put into its subject and text out of its headers', async () => {
    const server = await serve()
    const { delivery, clock } = await deliveryTo({ url: server.url })
    const evil = 'code\r\nBcc: eve@example.org\r\n\r\nbody'
    delivery.mail('ada@example.org', evil, `.\r\n.\r\nRCPT TO:<eve@example.org>\r\n${evil}`, {
      until: clock.now() + 1_000,
    })
    const { to, headers, body } = await server.mailTo('ada@example.org')
    expect(to).toEqual(['ada@example.org'])
    expect(headers.has('bcc')).toBe(false)
    expect(body).toContain('RCPT TO:<eve@example.org>')
    expect(server.mails).toHaveLength(1)
  })
})

describe('encryption and sign-in', () => {
  const auth = () => ({
    key: certificate.key,
    cert: certificate.cert,
    authOptional: false,
    onAuth: (
      { username, password }: { username?: string | undefined; password?: string | null | undefined },
      _: unknown,
      callback: (error: Error | null, answer?: { user: string }) => void,
    ) => (password === 'p@ss word' ? callback(null, { user: username ?? '' }) : callback(new Error('wrong'))),
  })

  test.each([
    ['STARTTLS', {}, 'smtp'],
    ['TLS from the start', { secure: true }, 'smtps'],
  ])('by %s, with user and password', async (_, options, scheme) => {
    const server = await serve({ ...auth(), ...options })
    const { send } = await deliveryTo({
      url: `${scheme}://ops:p%40ss%20word@localhost:${server.port}`,
      ca: certificate.file,
    })
    send()
    expect(await server.mailTo('ada@example.org')).toMatchObject({ secure: true, user: 'ops' })
  })

  test('a wrong password is for good, and is repeated nowhere', async () => {
    const server = await serve(auth())
    const { delivery, send, said } = await deliveryTo({
      url: `smtp://ops:s3cret@localhost:${server.port}`,
      ca: certificate.file,
    })
    send()
    await delivery.idle()
    expect(said()).toEqual([expect.objectContaining({ why: 'the mail server refused it: 535' })])
    expect(JSON.stringify(said())).not.toContain('s3cret')
  })

  test('a certificate that nobody vouches for gets no mail', async () => {
    const server = await serve(auth())
    const { send, said } = await deliveryTo({ url: `smtp://ops:p%40ss%20word@localhost:${server.port}` })
    send()
    await eventually(() =>
      expect(said()).toEqual([expect.objectContaining({ failure: 'DEPTH_ZERO_SELF_SIGNED_CERT' })]),
    )
    expect(server.mails).toEqual([])
  })

  test.each([
    ['smtp://mail.example.org', { host: 'mail.example.org', port: 587, encryption: 'starttls' }],
    ['smtps://a%40b:c@mail.example.org', { port: 465, encryption: 'tls', user: 'a@b', password: 'c' }],
    ['smtp://localhost:1025', { port: 1025, encryption: 'offered' }],
    ['smtp://[::1]:1025/', { host: '::1', encryption: 'offered' }],
    ['smtp://relay:25?tls=off', { host: 'relay', encryption: 'none' }],
  ])('%s', (url, expected) => expect(parseSmtpUrl(url)).toMatchObject(expected))

  test.each([
    'http://mail.example.org',
    'smtp://',
    'smtp://user:s3cret@relay?tls=off',
    'smtps://relay?tls=off',
    'smtp://relay?logger=true&debug=true',
    'smtp://relay?tls.rejectUnauthorized=false',
    'smtp://relay/path',
    'smtp://u:s3cret%ZZ@relay',
    'mail.example.org',
  ])('%s is refused, without being repeated', url => {
    expect(() => parseSmtpUrl(url)).toThrow(
      expect.objectContaining({ code: 'invalid_input', message: expect.not.stringContaining('s3cret') }),
    )
  })

  test.each(['a', 'a@b\r\nBcc: c@d', 'A\r\nBcc: c@d <a@b>', '<a@b>, <c@d>', 'A <a@b> B', ''])(
    'a sender like %j is refused',
    text => expect(parseSender(text)).toBeUndefined(),
  )
})

describe('a mail server', () => {
  test('that is down gets the mail when it is back', async () => {
    const { port, close } = await startMailServer()
    await close()
    const { clock, send, said } = await deliveryTo({ url: `smtp://127.0.0.1:${port}` })
    send()
    await eventually(() => expect(said()).toEqual([expect.objectContaining({ failure: 'ECONNREFUSED', attempts: 1 })]))
    const server = await serve({ port })
    expect(clock.runNext()).toBe(true)
    await server.mailTo('ada@example.org')
  })

  test('that greylists gets the same mail again, under the same id', async () => {
    const server = await serve()
    const ids: unknown[] = []
    server.before = ({ headers }) => {
      if (ids.push(headers.get('message-id')) < 3) throw Object.assign(new Error('later'), { responseCode: 451 })
    }
    const { clock, send, said } = await deliveryTo({ url: server.url })
    send()
    for (const failures of [1, 2]) {
      await eventually(() => expect(said()).toHaveLength(failures))
      expect(clock.runNext()).toBe(true)
    }
    await server.mailTo('ada@example.org')
    expect(new Set(ids).size).toBe(1)
    expect(server.mails).toHaveLength(1)
    expect(said().filter(({ message }) => message.includes('next attempt'))).toHaveLength(2)
    expect(said()[0]).toMatchObject({ responseCode: 451 })
  })

  test('that refuses for good is not asked again, and what it says of the address is not logged', async () => {
    const server = await serve()
    server.before = ({ to }) => {
      throw Object.assign(new Error(`no such user ${to}`), { responseCode: 550 })
    }
    const { delivery, send, said } = await deliveryTo({ url: server.url })
    send()
    await delivery.idle()
    expect(said()).toEqual([expect.objectContaining({ why: 'the mail server refused it: 550', attempts: 1 })])
    expect(JSON.stringify(said())).not.toMatch(/ada|123456/)
  })

  test('that never answers holds a mail no longer than an attempt may take, and the others not at all', async () => {
    const silent = net.createServer().listen(0, '127.0.0.1')
    opened.push({ close: () => new Promise(resolve => silent.close(() => resolve())) })
    await new Promise(resolve => silent.once('listening', resolve))
    const { delivery, send, said } = await deliveryTo(
      { url: `smtp://127.0.0.1:${(silent.address() as net.AddressInfo).port}` },
      { clock: systemClock, attemptMs: 100, retryMs: [700_000] },
    )
    send()
    await delivery.idle()
    expect(said()).toEqual([expect.objectContaining({ failure: 'EABORT', why: 'no attempt went through' })])
  })

  test('gets nothing past the time the mail is worth something', async () => {
    const server = await serve()
    server.before = () => {
      throw Object.assign(new Error('later'), { responseCode: 451 })
    }
    const { delivery, clock, send, said } = await deliveryTo({ url: server.url }, { retryMs: [599_999] })
    send()
    await eventually(() => expect(clock.nextAt).toBe(clock.now() + 599_999))
    clock.advance(599_999)
    await delivery.idle()
    expect(server.mails).toEqual([])
    expect(said().at(-1)).toMatchObject({ why: 'no attempt went through', attempts: 2 })
  })
})

describe('what waits', () => {
  test('is bounded', async () => {
    const { send, said } = await deliveryTo({ url: 'smtp://127.0.0.1:1' }, { waiting: 2 })
    send('a@example.org')
    send('b@example.org')
    expect(() => send('c@example.org')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    await eventually(() => expect(said()).toHaveLength(2))
    expect(() => send('c@example.org')).toThrow(expect.objectContaining({ code: 'overloaded' }))
  })

  test('makes room for what replaces it', async () => {
    const { port, close } = await startMailServer()
    await close()
    const { delivery, clock, send, said } = await deliveryTo({ url: `smtp://127.0.0.1:${port}` })
    send('ada@example.org', 'code/1')
    send('bob@example.org', 'code/2')
    await eventually(() => expect(said()).toHaveLength(2))
    const server = await serve({ port })
    send('ada@example.org', 'code/1')
    await server.mailTo('ada@example.org')
    expect(clock.runNext()).toBe(true)
    await server.mailTo('bob@example.org')
    await delivery.idle()
    expect(server.mails).toHaveLength(2)
  })

  test('does not keep a node from stopping', async () => {
    const { port, close } = await startMailServer()
    await close()
    const { delivery, clock, send, said } = await deliveryTo({ url: `smtp://127.0.0.1:${port}` })
    send()
    await eventually(() => expect(said()).toHaveLength(1))
    await delivery.stop()
    expect(said().at(-1)).toMatchObject({ why: 'the node stops' })
    expect(clock.pending).toBe(0)
    expect(() => send()).toThrow(expect.objectContaining({ code: 'shutting_down' }))
  })
})
