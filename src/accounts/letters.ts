/** What people are written: plain text, short, with nothing in it that somebody else could have chosen. */
import type { AccountSettings } from './settings.ts'

export interface Letter {
  readonly subject: string
  readonly text: string
}

type Sender = Pick<AccountSettings, 'issuer' | 'publicUrl'>

export function codeLetter(sender: Sender, code: string, minutes: number): Letter {
  return letter(sender, 'Your code', [
    `Your code is ${code}. It is good for ${minutes} minutes, once.`,
    'Give it to nobody. If you did not ask for it, somebody knows your password: change it.',
  ])
}

/** A text message is one line: phones show little else. */
export function codeText({ issuer }: Sender, code: string, minutes: number): string {
  return `${oneLine(issuer)}: your code is ${code}, good for ${minutes} minutes. Give it to nobody.`
}

export function verificationLetter(sender: Sender, token: string): Letter {
  return letter(sender, 'Verify your address', [
    `To verify this address, ${toBeShown(sender, 'verify-email', token)}`,
    'This is good for a day, once. If you have no account, do nothing.',
  ])
}

export function recoveryLetter(sender: Sender, token: string): Letter {
  return letter(sender, 'Recover your account', [
    `To set a new password, ${toBeShown(sender, 'recover', token)}`,
    'This is good for an hour, once. If you did not ask for it, do nothing: your password stays as it is.',
  ])
}

/** What happened to an account, each as its owner is told. */
const NOTICES = {
  password_changed: [
    'Your password was changed',
    'The password of your account was changed, and its sessions were ended.',
  ],
  email_changed: ['Your address was changed', 'Your account has another address now. Mails will no longer come here.'],
  factor_added: ['A second factor was added', 'A second factor was added to your account:'],
  factor_removed: ['A second factor was removed', 'A second factor was removed from your account:'],
  passkey_doubted: [
    'A passkey may have been copied',
    'What a passkey of your account signed was refused, as a copy of it would sign. Remove it if that was not you:',
  ],
  backup_code_used: ['A recovery code was used', 'A recovery code of your account was used. Codes left:'],
  new_device: ['A new device signed in', 'A device that is new to your account signed in. Its address:'],
} as const satisfies Record<string, readonly [subject: string, text: string]>
export type Notice = keyof typeof NOTICES

/** @param detail ends the sentence of those that end in a colon */
export function noticeLetter(sender: Sender, notice: Notice, at: string, detail?: string): Letter {
  const [subject, text] = NOTICES[notice]
  return letter(sender, subject, [
    `${text}${detail === undefined ? '' : ` ${oneLine(detail)}.`}`,
    `Time: ${at}`,
    'If it was not you, recover your account at once, or ask an administrator.',
  ])
}

function letter({ issuer }: Sender, subject: string, lines: readonly string[]): Letter {
  return { subject: `${oneLine(issuer)}: ${subject}`, text: `${lines.join('\n\n')}\n` }
}

/** Behind `#`, which browsers send to no server, so it is in no log and no referrer; and no mail scanner uses it up by looking. */
function toBeShown({ publicUrl }: Sender, page: string, token: string): string {
  const base = publicUrl?.replace(/\/+$/, '')
  return base === undefined ? `show this token:\n\n${token}` : `open:\n\n${base}/${page}#token=${token}`
}

/** An operator's text may end up in a header. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}
