/** The shortest way into each state of each entity. */
import type { JsonObject } from '../../src/core/json.ts'
import { byCodes, byMail, byPasskey, LATER, passkey } from './samples.ts'

/** The sample of a type, or data of its own. */
export type Step = string | readonly [type: string, data: JsonObject]

/** Events that lead from `absent` into each state. */
export const ways: Readonly<Record<string, Readonly<Record<string, readonly Step[]>>>> = {
  user: {
    absent: [],
    active: ['user.registered'],
    deactivated: ['user.registered', 'user.deactivated'],
    deleted: ['user.registered', 'user.deleted'],
    erasing: ['user.registered', 'user.erased'],
    erased: ['user.registered', 'user.erased', 'user.forgotten'],
  },
  session: {
    absent: [],
    pending: [['session.created', { userId: 1, tokenHash: 'hash', expiresAt: LATER, pending: true }]],
    active: ['session.created'],
    closed: ['session.created', 'session.closed'],
    expired: ['session.created', 'session.expired'],
    revoked: ['session.created', 'session.revoked'],
  },
  factor: {
    absent: [],
    'totp-unconfirmed': ['factor.enrolled'],
    totp: ['factor.enrolled', 'factor.confirmed'],
    'address-unconfirmed': [['factor.enrolled', byMail], 'factor.code.sent'],
    address: [['factor.enrolled', byMail], 'factor.code.sent', 'factor.confirmed', 'factor.code.sent'],
    passkeys: [
      ['factor.enrolled', byPasskey],
      ['factor.passkey.added', { passkey: { ...passkey, id: 'third' } }],
    ],
    'backup-codes': [['factor.enrolled', byCodes]],
    removed: ['factor.enrolled', 'factor.removed'],
  },
  'mfa-attempt': { absent: [], recorded: ['mfa.attempted'] },
  'trusted-device': {
    absent: [],
    trusted: ['device.trusted'],
    revoked: ['device.trusted', 'device.revoked'],
    expired: ['device.trusted', 'device.expired'],
  },
  ticket: {
    absent: [],
    open: ['ticket.issued'],
    used: ['ticket.issued', 'ticket.used'],
    voided: ['ticket.issued', 'ticket.voided'],
    expired: ['ticket.issued', 'ticket.expired'],
  },
  stream: {
    absent: [],
    idle: ['stream.created'],
    live: ['stream.created', 'stream.started', 'viewer.joined'],
    deleted: ['stream.created', 'stream.deleted'],
  },
  broadcast: {
    absent: [],
    live: ['broadcast.started'],
    ended: ['broadcast.started', 'broadcast.ended'],
  },
  recording: {
    absent: [],
    available: ['recording.created'],
    withdrawn: ['recording.created', 'recording.withdrawn'],
    expired: ['recording.created', 'recording.expired'],
    deleted: ['recording.created', 'recording.deleted'],
  },
  usage: { absent: [], recorded: ['usage.recorded'] },
  billing: { absent: [], open: ['billing.opened'], deleted: ['billing.opened', 'billing.closed'] },
  conflict: {
    absent: [],
    open: ['conflict.opened'],
    settling: ['conflict.opened', 'conflict.settled'],
    settled: ['conflict.absorbed'],
  },
}
