/** Authenticator apps that are not ours: Debian's `oathtool` makes the codes, and `zbarimg` reads the QR code. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { qrCode } from '../../src/auth/otpauth-qr.ts'
import { matchTotp, newTotpSecret, totpUri } from '../../src/auth/totp.ts'
import { debianTool } from '../support/debian-tools.ts'

let oathtool: ReturnType<typeof debianTool>
let zbarimg: ReturnType<typeof debianTool>
beforeAll(() => {
  oathtool = debianTool('oathtool', 'oathtool')
  zbarimg = debianTool('zbar-tools', 'zbarimg')
}, 300_000)

const code = (secret: string, seconds: number) =>
  oathtool(['--totp=sha1', '--base32', '--digits=6', '--time-step-size=30s', `--now=@${seconds}`, secret]).trim()

test('codes of oathtool are taken, of this step and one beside it, and of no other', () => {
  const secret = newTotpSecret()
  const now = 1_800_000_015
  const step = Math.floor(now / 30)
  for (const beside of [-1, 0, 1])
    expect(matchTotp(secret, code(secret, now + beside * 30), now * 1_000, -1)).toBe(step + beside)
  for (const beside of [-3, -2, 2, 3])
    expect(matchTotp(secret, code(secret, now + beside * 30), now * 1_000, -1)).toBeUndefined()
})

describe('the QR code', () => {
  const read = async (file: string, content: string | Buffer) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rootstream-qr-'))
    try {
      await writeFile(path.join(folder, file), content)
      return zbarimg(['--quiet', '--raw', '--oneshot', '-Sdisable', '-Sqrcode.enable', path.join(folder, file)]).trim()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  test.each([
    ['a short name', 'ada'],
    ['an address', 'ada@example.org'],
    ['accents, a colon and a camera', 'Ünï: cödé 🎥'],
    ['255 letters', 'x'.repeat(255)],
    ['255 faces', '😀'.repeat(255)],
  ])('of %s is read by zbarimg, and the secret in it makes the right codes', async (_, account) => {
    const secret = newTotpSecret()
    const uri = totpUri({ issuer: 'Root: Stream', account, secret })
    const png = (await qrCode(uri, 'png')).replace('data:image/png;base64,', '')
    const scanned = await read('q.png', Buffer.from(png, 'base64'))
    expect(scanned).toBe(uri)
    const { protocol, host, pathname, searchParams } = new URL(scanned)
    expect([protocol, host]).toEqual(['otpauth:', 'totp'])
    const [issuer, label] = decodeURIComponent(pathname.slice(1)).split(':')
    expect([issuer, searchParams.get('issuer')]).toEqual(['Root Stream', 'Root Stream'])
    expect(label).toBe([...account.replaceAll(':', ' ').replaceAll('  ', ' ')].slice(0, 64).join(''))
    const now = Date.now()
    expect(matchTotp(secret, code(searchParams.get('secret') ?? '', Math.floor(now / 1_000)), now, -1)).toBeDefined()
  })

  test('comes as SVG without scripts, and as text for a terminal', async () => {
    const uri = totpUri({ issuer: '<script>', account: '"><script>alert(1)</script>', secret: newTotpSecret() })
    const svg = await qrCode(uri, 'svg')
    expect(svg).toMatch(/^<svg /)
    expect(svg).not.toContain('script')
    expect((await qrCode(uri, 'terminal')).split('\n').length).toBeGreaterThan(15)
  })
})
