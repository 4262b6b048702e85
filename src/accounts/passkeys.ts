/** What a node offers of passkeys: each call by the token of the session it is for. */
import type { Assertion, Attestation } from '../auth/passkey.ts'
import type { AccountRefusal } from './answers.ts'
import type { Client } from './client.ts'
import {
  type AssertionOptions,
  passkeyFactor,
  passkeyFactorOptions,
  passkeyLogin,
  passkeyLoginOptions,
} from './passkey-assertions.ts'
import {
  listPasskeys,
  type PasskeyAnswer,
  type PasskeyChanged,
  passkeyRegistrationOptions,
  type RegisteredPasskey,
  type RegistrationOptions,
  registerPasskey,
  removePasskey,
  renamePasskey,
  type ShownPasskey,
} from './passkey-changes.ts'
import type { AccountPorts } from './ports.ts'
import type { OpenedSession } from './sessions.ts'
import { withShownSession } from './shown-session.ts'

export type { Assertion, Attestation }

/** All that give options or take answers throw AppError `not_found` where the installation has no public address. */
export interface Passkeys {
  /** For whoever may change factors: see `enrolTotp`. */
  registrationOptions(
    token: string,
    options?: { password?: string | undefined },
    client?: Client,
  ): Promise<RegistrationOptions | AccountRefusal>
  register(token: string, answer: PasskeyAnswer, client?: Client): Promise<RegisteredPasskey | AccountRefusal>
  loginOptions(client?: Client): Promise<AssertionOptions | AccountRefusal>
  /** Signs in by a passkey alone. */
  login(assertion: Assertion, client?: Client): Promise<OpenedSession | AccountRefusal>
  factorOptions(token: string, client?: Client): Promise<AssertionOptions | AccountRefusal>
  /** Completes the login of a pending session, or makes an open one fresh; the token is a new one. */
  verify(token: string, assertion: Assertion, client?: Client): Promise<OpenedSession | AccountRefusal>
  list(userId: number): Promise<readonly ShownPasskey[]>
  /** Throws AppError `not_found`, as `remove` does. */
  rename(token: string, id: string, label: string, client?: Client): Promise<PasskeyChanged>
  remove(token: string, id: string, client?: Client): Promise<PasskeyChanged>
}

export function createPasskeys(ports: AccountPorts): Passkeys {
  return {
    registrationOptions: (token, { password } = {}, client = {}) =>
      withShownSession(ports, token, client, session => passkeyRegistrationOptions(ports, session, password)),
    register: (token, answer, client = {}) =>
      withShownSession(ports, token, client, session => registerPasskey(ports, session, answer, client)),
    loginOptions: (client = {}) => passkeyLoginOptions(ports, client),
    login: (assertion, client = {}) => passkeyLogin(ports, assertion, client),
    factorOptions: (token, client = {}) =>
      withShownSession(ports, token, client, session => passkeyFactorOptions(ports, session)),
    verify: (token, assertion, client = {}) =>
      withShownSession(ports, token, client, session => passkeyFactor(ports, session, assertion, client)),
    list: userId => listPasskeys(ports, userId),
    rename: (token, id, label, client = {}) =>
      withShownSession(ports, token, client, session => renamePasskey(ports, session, id, label)),
    remove: (token, id, client = {}) =>
      withShownSession(ports, token, client, session => removePasskey(ports, session, id)),
  }
}
