/** Lives of actors that together hold each event. */
import type { JsonObject } from '../../src/core/json.ts'
import {
  broadcastRow,
  byCodes,
  byMail,
  byPasskey,
  LATER,
  met,
  remember,
  samples,
  streamRow,
  userRow,
} from './samples.ts'

/** `at` where it is not a second after the one before. */
type Recorded = string | readonly [type: string, schemaVersion: number, data: JsonObject, at?: string]

/** Old versions of events are here with the data they were written with. */
export const histories: Readonly<Record<string, readonly (readonly Recorded[])[]>> = {
  user: [
    [
      'user.registered',
      'user.verified',
      'user.updated',
      'user.password.changed',
      'user.login.recorded',
      'user.roles.changed',
      'user.deactivated',
      'user.reactivated',
      'user.sessions.limited',
      ['user.login.recorded', 2, { opened: { sessionId: 7, expiresAt: LATER, limit: 1, policy: 'revoke_oldest' } }],
      ['user.login.recorded', 2, { opened: { sessionId: 8, expiresAt: LATER, limit: 1, policy: 'revoke_oldest' } }],
      'user.password.rehashed',
      'user.sessions.ended',
    ],
    // Before sessions were kept with the user.
    [
      ['user.registered', 1, { username: 'ada', email: 'ada@example.org', passwordHash: 'hash' }],
      ['user.password.changed', 1, { passwordHash: 'other' }],
      ['user.login.recorded', 1, {}],
    ],
    [['user.imported', 1, { row: userRow, exactNames: true }], 'user.deleted', 'user.erased', 'user.forgotten'],
    ['user.registered', 'user.erased', 'user.forgotten'],
    // A new address was as verified as the old one, and is not any more.
    [
      'user.registered',
      'user.verified',
      ['user.updated', 1, { email: 'ada@example.com' }],
      ['user.updated', 2, { email: 'ada@example.net', keepVerified: true }],
    ],
    ['user.registered', 'user.verified', ['user.updated', 2, { email: 'ada@example.com' }]],
  ],
  session: [
    ['session.created', 'session.touched', 'session.refreshed', 'session.expired', 'session.revoked'],
    ['session.imported', 'session.closed', 'session.revoked', 'session.erased'],
    ['session.created', 'session.expired', 'session.closed', 'session.revoked'],
    [
      ['session.created', 1, { userId: 1, tokenHash: 'hash', expiresAt: LATER }],
      ['session.refreshed', 1, { expiresAt: LATER, tokenHash: 'next' }],
      ['session.touched', 1, { ipAddress: '2001:db8::1' }],
    ],
    [
      ['session.created', 2, { userId: 1, tokenHash: 'hash', expiresAt: LATER, methods: ['password'], pending: true }],
      ['session.authenticated', 1, { tokenHash: 'next', method: 'totp', expiresAt: LATER, idleMs: 1_000, remember }],
      [
        'session.refreshed',
        2,
        {
          expiresAt: LATER,
          tokenHash: 'third',
          rememberHash: 'next',
          tokenExpiresAt: LATER,
          replacesHash: remember.tokenHash,
        },
      ],
      'session.moved',
      'session.challenged',
      ['session.elevated', 1, { tokenHash: 'next', method: 'totp' }],
    ],
    [
      ['session.created', 2, { userId: 1, tokenHash: 'hash', expiresAt: LATER, methods: ['password'], remember }],
      [
        'session.elevated',
        2,
        { tokenHash: 'next', method: 'totp', remember: { familyHash: 'other', tokenHash: 'another' } },
      ],
    ],
  ],
  factor: [
    [
      'factor.enrolled',
      'factor.confirmed',
      'factor.code.missed',
      ['factor.step.used', 1, { step: 58_000_001 }],
      'factor.code.missed',
      'factor.resealed',
      'factor.removed',
    ],
    [
      ['factor.enrolled', 1, byMail],
      'factor.code.sent',
      'factor.code.missed',
      'factor.confirmed',
      'factor.code.sent',
      'factor.code.used',
    ],
    [
      ['factor.enrolled', 1, byPasskey],
      'factor.passkey.added',
      'factor.passkey.used',
      'factor.passkey.doubted',
      'factor.passkey.renamed',
      'factor.passkey.removed',
    ],
    [['factor.enrolled', 1, byCodes], 'factor.backup.used', 'factor.backup.replaced'],
  ],
  'mfa-attempt': [['mfa.attempted', 'mfa.attempt.erased']],
  'trusted-device': [
    ['device.trusted', 'device.used', 'device.expired'],
    ['device.trusted', 'device.revoked'],
  ],
  ticket: [
    ['ticket.issued', 'ticket.used'],
    ['ticket.issued', 'ticket.voided'],
    ['ticket.issued', 'ticket.expired'],
  ],
  stream: [
    [
      'stream.created',
      ['stream.started', 1, { bitrate: 5000, resolution: '1280x720' }],
      'stream.stopped',
      'stream.renamed',
      'stream.described',
      'stream.visibility.changed',
      'stream.key.rotated',
      'stream.started',
      ['stream.broadcast.opened', 1, { broadcastId: 3, startedAt: '2026-01-01T12:00:07.000Z' }],
      'viewer.joined',
      'viewer.joined',
      'viewer.left',
      'stream.viewers.updated',
      'stream.stats.updated',
    ],
    ['stream.imported', 'stream.started', 'stream.deleted'],
    // Two times on air in one millisecond, as they were written when the second found the broadcast of the first.
    [
      'stream.created',
      ['stream.started', 2, {}, LATER],
      ['stream.stopped', 1, {}, LATER],
      ['stream.started', 2, {}, LATER],
      ['stream.broadcast.opened', 1, { broadcastId: 3, startedAt: LATER }, LATER],
    ],
    [
      'stream.created',
      ['stream.started', 2, {}, LATER],
      ['stream.stopped', 1, {}, LATER],
      ['stream.started', 2, {}, LATER],
      ['stream.broadcast.opened', 1, { broadcastId: 4, startedAt: LATER, airing: `${LATER}#1` }, LATER],
    ],
    [['stream.imported', 1, { row: { ...streamRow, is_live: true, started_at: null } }], 'stream.stopped'],
  ],
  broadcast: [
    ['broadcast.started', 'broadcast.progressed', 'broadcast.ended', 'broadcast.recorded'],
    ['broadcast.imported'],
    [
      ['broadcast.imported', 1, { row: { ...broadcastRow, session_end: null } }],
      [
        'broadcast.ended',
        1,
        { totalViewers: 5, peakViewers: 4, bytesSent: 100, endedAt: '2026-01-01T12:00:01.000Z', imported: true },
      ],
    ],
  ],
  recording: [
    [
      'recording.created',
      'recording.completed',
      'recording.processed',
      'recording.withdrawn',
      'recording.restored',
      'recording.expired',
    ],
    ['recording.imported', 'recording.retention.changed', 'recording.deleted'],
  ],
  usage: [['usage.recorded'], ['usage.imported']],
  billing: [
    ['billing.opened', 'billing.tier.changed', 'billing.limit.changed', 'billing.payment-method.changed'],
    ['billing.imported', 'billing.closed'],
  ],
  conflict: [
    ['conflict.opened', 'conflict.settled', 'conflict.applied'],
    ['conflict.absorbed', 'conflict.erased'],
    [['conflict.opened', 1, samples['conflict.opened'] ?? {}], 'conflict.erased'],
    [['conflict.opened', 2, { ...samples['conflict.opened'], subject: 1 }], 'conflict.erased'],
    [['conflict.absorbed', 1, met]],
    ['conflict.opened', ['conflict.settled', 1, { keep: 'log' }, LATER]],
  ],
}
