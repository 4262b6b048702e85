/** A real SMTP server of the tests', which can be down, slow, greylisting or refusing. */
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  /** As it came over the wire. */
  readonly raw: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** Who signed in, and whether the connection was encrypted. */
  readonly user: string | undefined
  readonly secure: boolean
}

export interface MailServer {
  readonly port: number
  /** `smtp://127.0.0.1:…` */
  readonly url: string
  readonly mails: readonly ReceivedMail[]
  /** Connections that were made. */
  readonly connections: number
  /** Called before each mail is taken: throw an error with a `responseCode` to refuse it, or let it wait. */
  before: (mail: ReceivedMail) => Promise<void> | void
  /** The first mail to an address, under a subject that contains this, which was not answered before; waited for. */
  mailTo(address: string, subject?: string): Promise<ReceivedMail>
  close(): Promise<void>
}

export async function startMailServer(options: SMTPServerOptions & { port?: number } = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = []
  const waiting = new Set<() => void>()
  const answered = new Set<ReceivedMail>()
  let connections = 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: options.key === undefined ? ['STARTTLS'] : [],
    logger: false,
    closeTimeout: 200,
    ...options,
    onConnect(_session, callback) {
      connections++
      callback()
    },
    onData(stream, session, callback) {
      void text(stream).then(async raw => {
        const { mailFrom, rcptTo } = session.envelope
        const [head = '', ...rest] = raw.split('\r\n\r\n')
        const headers = headersOf(head)
        const mail = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw,
          headers,
          body: decoded(rest.join('\r\n\r\n'), headers.get('content-transfer-encoding') ?? '7bit'),
          user: session.user as string | undefined,
          secure: session.secure,
        }
        try {
          await answers.before(mail)
          mails.push(mail)
          callback()
          for (const wake of waiting) wake()
        } catch (error) {
          callback(error as Error)
        }
      })
    },
  })
  // A client that breaks off is what some tests are about.
  server.on('error', () => undefined)
  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  const answers: MailServer = {
    port,
    url: `smtp://127.0.0.1:${port}`,
    mails,
    get connections() {
      return connections
    },
    before: () => undefined,
    mailTo: (address, subject = '') =>
      new Promise(resolve => {
        const look = () => {
          const mail = mails.find(
            each =>
              !answered.has(each) && each.to.includes(address) && (each.headers.get('subject') ?? '').includes(subject),
          )
          if (mail === undefined) return
          answered.add(mail)
          waiting.delete(look)
          resolve(mail)
        }
        waiting.add(look)
        look()
      }),
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
  return answers
}

function headersOf(head: string): ReadonlyMap<string, string> {
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  return new Map(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
}

function decoded(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString()
  if (encoding !== 'quoted-printable') return body
  const bytes = body.replaceAll('=\r\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex) => `%${hex}`)
  return decodeURIComponent(bytes.replaceAll(/%(?![0-9A-F]{2})/g, '%25'))
}
