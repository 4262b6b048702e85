/** Valid data for each event of each entity, and the shortest way into each state. */
import type { JsonObject } from '../../src/core/json.ts'

export const AT = '2026-01-01T12:00:00.000Z'
const LATER = '2026-01-02T12:00:00.000Z'

const userRow = {
  username: 'ada',
  email: 'ada@example.org',
  password_hash: 'hash',
  display_name: null,
  avatar_url: null,
  is_verified: true,
  is_active: true,
  created_at: '2024-01-01T00:00:00.123456Z',
  updated_at: null,
  last_login_at: null,
}
const sessionRow = {
  user_id: 1,
  session_token: 'hash',
  device_id: null,
  user_agent: null,
  ip_address: '192.0.2.0/24',
  expires_at: LATER,
  created_at: '2024-01-01T00:00:00.123456Z',
  last_activity: null,
  is_active: true,
}
const streamRow = {
  user_id: 1,
  name: 'Stream',
  description: null,
  stream_key: 'key',
  stream_url: null,
  thumbnail_url: null,
  is_live: false,
  viewer_count: 0,
  bitrate_kbps: null,
  resolution: null,
  fps: null,
  codec: null,
  is_public: true,
  created_at: '2024-01-01T00:00:00.123456Z',
  updated_at: null,
  started_at: null,
  ended_at: null,
}
const broadcastRow = {
  stream_id: 1,
  session_start: '2024-01-01T00:00:00.123456Z',
  session_end: '2024-01-01T00:00:00.123457Z',
  total_viewers: 1,
  peak_viewers: 1,
  total_bytes_sent: 9_007_199_254_740_991,
  duration_seconds: null,
  is_recorded: false,
  recording_path: null,
}
const recordingRow = {
  stream_id: 1,
  session_id: 1,
  file_path: '/r.mkv',
  file_size_bytes: null,
  duration_seconds: null,
  codec: null,
  resolution: null,
  fps: null,
  bitrate_kbps: null,
  is_processed: null,
  is_available: true,
  created_at: null,
  expires_at: LATER,
}
const usageRow = {
  user_id: 1,
  stream_id: null,
  event_type: 'viewer_join',
  bytes_transferred: null,
  duration_seconds: null,
  created_at: null,
}
const billingRow = {
  user_id: 1,
  payment_method: null,
  subscription_tier: 'pro',
  monthly_limit_gb: null,
  created_at: null,
  updated_at: null,
}

/** One valid example of each event. */
export const samples: Readonly<Record<string, JsonObject>> = {
  'user.registered': { username: 'ada', email: 'ada@example.org', passwordHash: 'hash' },
  'user.imported': { row: userRow },
  'user.verified': {},
  'user.updated': { displayName: 'Ada' },
  'user.password.changed': { passwordHash: 'other' },
  'user.login.recorded': {},
  'user.roles.changed': { roles: ['operator', 'admin'] },
  'user.deactivated': { reason: 'asked' },
  'user.reactivated': {},
  'user.deleted': {},
  'session.created': { userId: 1, tokenHash: 'hash', expiresAt: LATER },
  'session.imported': { row: sessionRow },
  'session.refreshed': { expiresAt: LATER },
  'session.touched': { ipAddress: '2001:db8::1' },
  'session.closed': {},
  'session.revoked': { reason: 'stolen' },
  'session.expired': {},
  'stream.created': { userId: 1, name: 'Stream', streamKey: 'key' },
  'stream.imported': { row: streamRow },
  'stream.started': { bitrateKbps: 6000, resolution: '1920x1080' },
  'stream.stopped': { bytesSent: 1000 },
  'viewer.joined': { userId: 2 },
  'viewer.left': {},
  'stream.viewers.updated': { viewers: 5 },
  'stream.stats.updated': { fps: 59, bytesSent: 10 },
  'stream.renamed': { name: 'Other' },
  'stream.described': { description: 'About' },
  'stream.visibility.changed': { isPublic: false },
  'stream.key.rotated': { streamKey: 'other' },
  'stream.broadcast.opened': { broadcastId: 3, startedAt: AT },
  'stream.deleted': {},
  'broadcast.started': { streamId: 1, startedAt: AT },
  'broadcast.imported': { row: broadcastRow },
  'broadcast.progressed': { viewers: 3, bytesSent: 10 },
  'broadcast.recorded': { recordingPath: '/r.mkv' },
  'broadcast.ended': { totalViewers: 5, peakViewers: 4, bytesSent: 100, endedAt: AT },
  'recording.created': { streamId: 1, broadcastId: 1, filePath: '/r.mkv', expiresAt: LATER },
  'recording.imported': { row: recordingRow },
  'recording.completed': { fileSizeBytes: 5, durationSeconds: 1 },
  'recording.processed': {},
  'recording.retention.changed': { expiresAt: null },
  'recording.withdrawn': {},
  'recording.restored': {},
  'recording.expired': {},
  'recording.deleted': {},
  'usage.recorded': { userId: 1, eventType: 'stream_start' },
  'usage.imported': { row: usageRow },
  'billing.opened': { userId: 1, subscriptionTier: 'pro' },
  'billing.imported': { row: billingRow },
  'billing.tier.changed': { subscriptionTier: 'enterprise' },
  'billing.limit.changed': { monthlyLimitGb: 5 },
  'billing.payment-method.changed': { paymentMethod: 'card' },
  'billing.closed': {},
}

/** `at` where it is not a second after the one before. */
type Step = string | readonly [type: string, schemaVersion: number, data: JsonObject, at?: string]

/** Lives of actors that together hold each event; old versions of events with the data they were written with. */
export const histories: Readonly<Record<string, readonly (readonly Step[])[]>> = {
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
    ],
    [['user.imported', 1, { row: userRow, exactNames: true }], 'user.deleted'],
  ],
  session: [
    ['session.created', 'session.touched', 'session.refreshed', 'session.expired', 'session.revoked'],
    ['session.imported', 'session.closed'],
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
}

/** Events that lead from `absent` into each state. */
export const ways: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  user: {
    absent: [],
    active: ['user.registered'],
    deactivated: ['user.registered', 'user.deactivated'],
    deleted: ['user.registered', 'user.deleted'],
  },
  session: {
    absent: [],
    active: ['session.created'],
    closed: ['session.created', 'session.closed'],
    expired: ['session.created', 'session.expired'],
    revoked: ['session.created', 'session.revoked'],
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
}
