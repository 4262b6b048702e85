/** A headless browser with a page of the node's own origin, and an authenticator that answers for its user. */
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core'
import { debianProgram } from './debian-tools.ts'

/** The first start fetches the package. */
export const BROWSER_TIMEOUT_MS = 300_000

export async function startBrowser(): Promise<Browser> {
  const { file, env } = debianProgram('chromium-headless-shell', 'chromium-headless-shell')
  const own = { ...process.env, ...env } as Record<string, string>
  // Without a sandbox: containers allow none, and it opens nothing but the node under test.
  return chromium.launch({ executablePath: file, env: own, args: ['--no-sandbox'] })
}

export interface VirtualAuthenticator {
  /** Whether its user is there and verified from now on. */
  verifies(isVerified: boolean): Promise<void>
  passkeys(): Promise<readonly { readonly credentialId: string; readonly signCount: number }[]>
}

/** As a platform has it: it keeps passkeys and knows its user. */
export async function addAuthenticator(page: Page): Promise<VirtualAuthenticator> {
  const session: CDPSession = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return {
    verifies: async isUserVerified => {
      await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
    },
    passkeys: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
  }
}

export interface PageAnswer {
  readonly status: number
  readonly body: Record<string, unknown> | null
}

/** A request as a script of the page sends it, with the cookies the browser keeps. */
export function post(page: Page, route: string, body: object = {}): Promise<PageAnswer> {
  return page.evaluate(
    async ([to, sent]) => {
      const answer = await fetch(to, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(sent),
      })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) }
    },
    [route, body] as const,
  )
}

/**
 * What the browser's own API makes of options: a new passkey, or a signature by one that it keeps; its JSON, or the name of
 * what it throws. As text, for it runs in the browser.
 */
export function ceremony(page: Page, kind: 'create' | 'get', options: unknown): Promise<object | string> {
  const parse = kind === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON'
  return page.evaluate(`(async options => {
    try {
      const publicKey = PublicKeyCredential.${parse}(options)
      return (await navigator.credentials.${kind}({ publicKey })).toJSON()
    } catch (error) {
      return error.name
    }
  })(${JSON.stringify(options)})`)
}
