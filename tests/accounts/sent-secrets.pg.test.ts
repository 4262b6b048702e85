/** What is sent is in the message, and nowhere else: searched for in all tables, frames and log lines. */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeIn, type DeliveryStage, NEW_PASSWORD, startDeliveryStage, tokenIn } from '../support/delivery-stage.ts'
import { granted } from './granted.ts'

let stage: DeliveryStage
beforeAll(async () => {
  // Eight digits: nothing else in the tables has as many in a row, but by chance of one in many millions.
  stage = await startDeliveryStage({ codeDigits: 8 })
})
afterAll(() => stage.close())

async function everything(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public'",
    )
    const texts: string[] = []
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(`select t::text as text from ${name} t`)
      texts.push(...rows.map(({ text }) => `${name} ${text}`))
    }
    return texts.join('\n')
  } finally {
    await client.end()
  }
}

test('tokens and codes of each flow', async () => {
  const { node, other, mail, gateway } = stage
  const heard: string[] = []
  other.subscribe('*', event => heard.push(JSON.stringify(event)))
  const { token, email, verification } = await stage.registered('ada')
  granted(await node.accounts.verifyEmail(verification))
  granted(await node.accounts.askRecovery('ada'))
  const recovery = tokenIn((await mail.mailTo(email, 'Recover')).body)
  const app = await stage.withTotp(token)
  const address = 'canary-address@example.org'
  granted(await node.accounts.enrolAddress(app.token, { method: 'email', address }))
  const byMail = codeIn((await mail.mailTo(address)).body)
  const session = granted(await node.accounts.confirmAddress(app.token, { method: 'email', code: byMail }))
  const number = '+4917099887766'
  granted(await node.accounts.enrolAddress(session.token, { method: 'sms', address: number }))
  const byText = codeIn((await gateway.received(1))[0]?.message.text ?? '')
  expect(byMail).toMatch(/^[0-9]{8}$/)
  const unused = await other.accounts.verifyFactor(session.token, { method: 'sms', code: byText })
  expect(unused).toMatchObject({ ok: false })
  granted(await other.accounts.completeRecovery({ token: recovery, password: NEW_PASSWORD }))

  const places = {
    tables: await everything(stage.database.url),
    frames: heard.join('\n'),
    log: stage.log.lines.map(line => JSON.stringify(line)).join('\n'),
  }
  const secrets = [verification, recovery, byMail, byText, address, number, NEW_PASSWORD]
  for (const [place, text] of Object.entries(places)) {
    expect(text.length, place).toBeGreaterThan(100)
    // Also without what its form adds to it; the random part of a token may itself begin with an underscore.
    for (const secret of secrets.flatMap(each => [each, each.replace(/^rst_[0-9]+_/, '')]))
      expect(text.includes(secret), `${secret} in the ${place}`).toBe(false)
  }
  expect(places.tables).toContain('ada@example.org')
  expect(places.frames).toContain('factor.code.sent')
})
