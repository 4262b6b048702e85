/** The full transition table of every entity: each event in each state, taken to a state or refused. */
import { describe, expect, test } from 'vitest'
import type { ActorState } from '../../src/core/state.ts'
import type { events as billing } from '../../src/machines/billing/events.ts'
import type { events as broadcast } from '../../src/machines/broadcast/events.ts'
import type { events as conflict } from '../../src/machines/conflict/events.ts'
import { allowedEvents, decide, initialState, stamp } from '../../src/machines/decide.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import type { events as factor } from '../../src/machines/factor/events.ts'
import { entities } from '../../src/machines/index.ts'
import type { events as mfaAttempt } from '../../src/machines/mfa-attempt/events.ts'
import type { events as recording } from '../../src/machines/recording/events.ts'
import type { events as session } from '../../src/machines/session/events.ts'
import type { events as stream } from '../../src/machines/stream/events.ts'
import type { events as ticket } from '../../src/machines/ticket/events.ts'
import type { events as trustedDevice } from '../../src/machines/trusted-device/events.ts'
import type { events as usage } from '../../src/machines/usage/events.ts'
import type { events as user } from '../../src/machines/user/events.ts'
import { AT, type Step, samples, ways } from './samples.ts'

/** Refused: nothing is written. */
const no = null

// The compiler demands a cell for each event in each state.
type Table<States extends string, Events> = Readonly<Record<States, Readonly<Record<keyof Events, States | null>>>>

interface Tables {
  readonly user: Table<'absent' | 'active' | 'deactivated' | 'deleted' | 'erasing' | 'erased', typeof user>
  readonly session: Table<'absent' | 'pending' | 'active' | 'closed' | 'expired' | 'revoked', typeof session>
  readonly factor: Table<
    | 'absent'
    | 'totp-unconfirmed'
    | 'totp'
    | 'address-unconfirmed'
    | 'address'
    | 'passkeys'
    | 'backup-codes'
    | 'removed',
    typeof factor
  >
  readonly 'mfa-attempt': Table<'absent' | 'recorded', typeof mfaAttempt>
  readonly 'trusted-device': Table<'absent' | 'trusted' | 'revoked' | 'expired', typeof trustedDevice>
  readonly ticket: Table<'absent' | 'open' | 'used' | 'voided' | 'expired', typeof ticket>
  readonly stream: Table<'absent' | 'idle' | 'live' | 'deleted', typeof stream>
  readonly broadcast: Table<'absent' | 'live' | 'ended', typeof broadcast>
  readonly recording: Table<'absent' | 'available' | 'withdrawn' | 'expired' | 'deleted', typeof recording>
  readonly usage: Table<'absent' | 'recorded', typeof usage>
  readonly billing: Table<'absent' | 'open' | 'deleted', typeof billing>
  readonly conflict: Table<'absent' | 'open' | 'settling' | 'settled', typeof conflict>
}

const tables: Tables = {
  user: {
    absent: {
      'user.registered': 'active',
      'user.imported': 'active',
      'user.verified': no,
      'user.updated': no,
      'user.password.changed': no,
      'user.password.rehashed': no,
      'user.login.recorded': no,
      'user.sessions.ended': no,
      'user.sessions.limited': no,
      'user.roles.changed': no,
      'user.deactivated': no,
      'user.reactivated': no,
      'user.deleted': no,
      'user.erased': no,
      'user.forgotten': no,
    },
    active: {
      'user.registered': no,
      'user.imported': no,
      'user.verified': 'active',
      'user.updated': 'active',
      'user.password.changed': 'active',
      'user.password.rehashed': 'active',
      'user.login.recorded': 'active',
      'user.sessions.ended': 'active',
      'user.sessions.limited': 'active',
      'user.roles.changed': 'active',
      'user.deactivated': 'deactivated',
      'user.reactivated': no,
      'user.deleted': 'deleted',
      'user.erased': 'erasing',
      'user.forgotten': no,
    },
    deactivated: {
      'user.registered': no,
      'user.imported': no,
      'user.verified': no,
      'user.updated': 'deactivated',
      'user.password.changed': no,
      'user.password.rehashed': no,
      'user.login.recorded': no,
      'user.sessions.ended': no,
      'user.sessions.limited': 'deactivated',
      'user.roles.changed': 'deactivated',
      'user.deactivated': no,
      'user.reactivated': 'active',
      'user.deleted': 'deleted',
      'user.erased': 'erasing',
      'user.forgotten': no,
    },
    deleted: {
      'user.registered': no,
      'user.imported': no,
      'user.verified': no,
      'user.updated': no,
      'user.password.changed': no,
      'user.password.rehashed': no,
      'user.login.recorded': no,
      'user.sessions.ended': no,
      'user.sessions.limited': no,
      'user.roles.changed': no,
      'user.deactivated': no,
      'user.reactivated': no,
      'user.deleted': no,
      'user.erased': 'erasing',
      'user.forgotten': no,
    },
    erasing: {
      'user.registered': no,
      'user.imported': no,
      'user.verified': no,
      'user.updated': no,
      'user.password.changed': no,
      'user.password.rehashed': no,
      'user.login.recorded': no,
      'user.sessions.ended': no,
      'user.sessions.limited': no,
      'user.roles.changed': no,
      'user.deactivated': no,
      'user.reactivated': no,
      'user.deleted': no,
      'user.erased': no,
      'user.forgotten': 'erased',
    },
    erased: {
      'user.registered': no,
      'user.imported': no,
      'user.verified': no,
      'user.updated': no,
      'user.password.changed': no,
      'user.password.rehashed': no,
      'user.login.recorded': no,
      'user.sessions.ended': no,
      'user.sessions.limited': no,
      'user.roles.changed': no,
      'user.deactivated': no,
      'user.reactivated': no,
      'user.deleted': no,
      'user.erased': no,
      'user.forgotten': no,
    },
  },
  session: {
    absent: {
      'session.created': 'active',
      'session.imported': 'active',
      'session.authenticated': no,
      'session.elevated': no,
      'session.challenged': no,
      'session.moved': no,
      'session.refreshed': no,
      'session.touched': no,
      'session.closed': no,
      'session.revoked': no,
      'session.expired': no,
      'session.erased': no,
    },
    pending: {
      'session.created': no,
      'session.imported': no,
      'session.authenticated': 'active',
      'session.elevated': no,
      'session.challenged': no,
      'session.moved': no,
      'session.refreshed': no,
      'session.touched': no,
      'session.closed': 'closed',
      'session.revoked': 'revoked',
      'session.expired': 'expired',
      'session.erased': no,
    },
    active: {
      'session.created': no,
      'session.imported': no,
      'session.authenticated': no,
      'session.elevated': 'active',
      'session.challenged': 'active',
      'session.moved': 'active',
      'session.refreshed': 'active',
      'session.touched': 'active',
      'session.closed': 'closed',
      'session.revoked': 'revoked',
      'session.expired': 'expired',
      'session.erased': no,
    },
    closed: {
      'session.created': no,
      'session.imported': no,
      'session.authenticated': no,
      'session.elevated': no,
      'session.challenged': no,
      'session.moved': no,
      'session.refreshed': no,
      'session.touched': no,
      'session.closed': no,
      'session.revoked': 'revoked',
      'session.expired': no,
      'session.erased': no,
    },
    expired: {
      'session.created': no,
      'session.imported': no,
      'session.authenticated': no,
      'session.elevated': no,
      'session.challenged': no,
      'session.moved': no,
      'session.refreshed': no,
      'session.touched': no,
      'session.closed': 'closed',
      'session.revoked': 'revoked',
      'session.expired': no,
      'session.erased': no,
    },
    revoked: {
      'session.created': no,
      'session.imported': no,
      'session.authenticated': no,
      'session.elevated': no,
      'session.challenged': no,
      'session.moved': no,
      'session.refreshed': no,
      'session.touched': no,
      'session.closed': no,
      'session.revoked': no,
      'session.expired': no,
      'session.erased': 'revoked',
    },
  },
  factor: {
    absent: {
      'factor.enrolled': 'totp-unconfirmed',
      'factor.confirmed': no,
      'factor.step.used': no,
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': no,
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': no,
      'factor.removed': no,
    },
    'totp-unconfirmed': {
      'factor.enrolled': no,
      'factor.confirmed': 'totp',
      'factor.step.used': no,
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': no,
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': 'totp-unconfirmed',
      'factor.removed': 'removed',
    },
    totp: {
      'factor.enrolled': no,
      'factor.confirmed': no,
      'factor.step.used': 'totp',
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': 'totp',
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': 'totp',
      'factor.removed': 'removed',
    },
    'address-unconfirmed': {
      'factor.enrolled': no,
      'factor.confirmed': 'address',
      'factor.step.used': no,
      'factor.code.sent': 'address-unconfirmed',
      'factor.code.used': no,
      'factor.code.missed': 'address-unconfirmed',
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': 'address-unconfirmed',
      'factor.removed': 'removed',
    },
    address: {
      'factor.enrolled': no,
      'factor.confirmed': no,
      'factor.step.used': no,
      'factor.code.sent': 'address',
      'factor.code.used': 'address',
      'factor.code.missed': 'address',
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': 'address',
      'factor.removed': 'removed',
    },
    passkeys: {
      'factor.enrolled': no,
      'factor.confirmed': no,
      'factor.step.used': no,
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': no,
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': 'passkeys',
      'factor.passkey.used': 'passkeys',
      'factor.passkey.doubted': 'passkeys',
      'factor.passkey.renamed': 'passkeys',
      'factor.passkey.removed': 'passkeys',
      'factor.resealed': 'passkeys',
      'factor.removed': 'removed',
    },
    'backup-codes': {
      'factor.enrolled': no,
      'factor.confirmed': no,
      'factor.step.used': no,
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': no,
      'factor.backup.used': 'backup-codes',
      'factor.backup.replaced': 'backup-codes',
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': 'backup-codes',
      'factor.removed': 'removed',
    },
    removed: {
      'factor.enrolled': no,
      'factor.confirmed': no,
      'factor.step.used': no,
      'factor.code.sent': no,
      'factor.code.used': no,
      'factor.code.missed': no,
      'factor.backup.used': no,
      'factor.backup.replaced': no,
      'factor.passkey.added': no,
      'factor.passkey.used': no,
      'factor.passkey.doubted': no,
      'factor.passkey.renamed': no,
      'factor.passkey.removed': no,
      'factor.resealed': no,
      'factor.removed': no,
    },
  },
  'mfa-attempt': {
    absent: {
      'mfa.attempted': 'recorded',
      'mfa.attempt.erased': no,
    },
    recorded: {
      'mfa.attempted': no,
      'mfa.attempt.erased': 'recorded',
    },
  },
  'trusted-device': {
    absent: {
      'device.trusted': 'trusted',
      'device.used': no,
      'device.revoked': no,
      'device.expired': no,
    },
    trusted: {
      'device.trusted': no,
      'device.used': 'trusted',
      'device.revoked': 'revoked',
      'device.expired': 'expired',
    },
    revoked: {
      'device.trusted': no,
      'device.used': no,
      'device.revoked': no,
      'device.expired': no,
    },
    expired: {
      'device.trusted': no,
      'device.used': no,
      'device.revoked': no,
      'device.expired': no,
    },
  },
  ticket: {
    absent: {
      'ticket.issued': 'open',
      'ticket.used': no,
      'ticket.voided': no,
      'ticket.expired': no,
    },
    open: {
      'ticket.issued': no,
      'ticket.used': 'used',
      'ticket.voided': 'voided',
      'ticket.expired': 'expired',
    },
    used: {
      'ticket.issued': no,
      'ticket.used': no,
      'ticket.voided': no,
      'ticket.expired': no,
    },
    voided: {
      'ticket.issued': no,
      'ticket.used': no,
      'ticket.voided': no,
      'ticket.expired': no,
    },
    expired: {
      'ticket.issued': no,
      'ticket.used': no,
      'ticket.voided': no,
      'ticket.expired': no,
    },
  },
  stream: {
    absent: {
      'stream.created': 'idle',
      'stream.imported': 'idle',
      'stream.started': no,
      'stream.stopped': no,
      'viewer.joined': no,
      'viewer.left': no,
      'stream.viewers.updated': no,
      'stream.stats.updated': no,
      'stream.renamed': no,
      'stream.described': no,
      'stream.visibility.changed': no,
      'stream.key.rotated': no,
      'stream.broadcast.opened': no,
      'stream.deleted': no,
    },
    idle: {
      'stream.created': no,
      'stream.imported': no,
      'stream.started': 'live',
      'stream.stopped': no,
      'viewer.joined': no,
      'viewer.left': no,
      'stream.viewers.updated': no,
      'stream.stats.updated': no,
      'stream.renamed': 'idle',
      'stream.described': 'idle',
      'stream.visibility.changed': 'idle',
      'stream.key.rotated': 'idle',
      'stream.broadcast.opened': no,
      'stream.deleted': 'deleted',
    },
    live: {
      'stream.created': no,
      'stream.imported': no,
      'stream.started': no,
      'stream.stopped': 'idle',
      'viewer.joined': 'live',
      'viewer.left': 'live',
      'stream.viewers.updated': 'live',
      'stream.stats.updated': 'live',
      'stream.renamed': 'live',
      'stream.described': 'live',
      'stream.visibility.changed': 'live',
      'stream.key.rotated': 'live',
      'stream.broadcast.opened': 'live',
      'stream.deleted': 'deleted',
    },
    deleted: {
      'stream.created': no,
      'stream.imported': no,
      'stream.started': no,
      'stream.stopped': no,
      'viewer.joined': no,
      'viewer.left': no,
      'stream.viewers.updated': no,
      'stream.stats.updated': no,
      'stream.renamed': no,
      'stream.described': no,
      'stream.visibility.changed': no,
      'stream.key.rotated': no,
      'stream.broadcast.opened': no,
      'stream.deleted': no,
    },
  },
  broadcast: {
    absent: {
      'broadcast.started': 'live',
      'broadcast.imported': 'ended',
      'broadcast.progressed': no,
      'broadcast.recorded': no,
      'broadcast.ended': no,
    },
    live: {
      'broadcast.started': no,
      'broadcast.imported': no,
      'broadcast.progressed': 'live',
      'broadcast.recorded': 'live',
      'broadcast.ended': 'ended',
    },
    ended: {
      'broadcast.started': no,
      'broadcast.imported': no,
      'broadcast.progressed': no,
      'broadcast.recorded': 'ended',
      'broadcast.ended': no,
    },
  },
  recording: {
    absent: {
      'recording.created': 'available',
      'recording.imported': 'available',
      'recording.completed': no,
      'recording.processed': no,
      'recording.retention.changed': no,
      'recording.withdrawn': no,
      'recording.restored': no,
      'recording.expired': no,
      'recording.deleted': no,
    },
    available: {
      'recording.created': no,
      'recording.imported': no,
      'recording.completed': 'available',
      'recording.processed': 'available',
      'recording.retention.changed': 'available',
      'recording.withdrawn': 'withdrawn',
      'recording.restored': no,
      'recording.expired': 'expired',
      'recording.deleted': 'deleted',
    },
    withdrawn: {
      'recording.created': no,
      'recording.imported': no,
      'recording.completed': 'withdrawn',
      'recording.processed': 'withdrawn',
      'recording.retention.changed': 'withdrawn',
      'recording.withdrawn': no,
      'recording.restored': 'available',
      'recording.expired': 'expired',
      'recording.deleted': 'deleted',
    },
    expired: {
      'recording.created': no,
      'recording.imported': no,
      'recording.completed': no,
      'recording.processed': no,
      'recording.retention.changed': no,
      'recording.withdrawn': no,
      'recording.restored': no,
      'recording.expired': no,
      'recording.deleted': 'deleted',
    },
    deleted: {
      'recording.created': no,
      'recording.imported': no,
      'recording.completed': no,
      'recording.processed': no,
      'recording.retention.changed': no,
      'recording.withdrawn': no,
      'recording.restored': no,
      'recording.expired': no,
      'recording.deleted': no,
    },
  },
  usage: {
    absent: {
      'usage.recorded': 'recorded',
      'usage.imported': 'recorded',
    },
    recorded: {
      'usage.recorded': no,
      'usage.imported': no,
    },
  },
  billing: {
    absent: {
      'billing.opened': 'open',
      'billing.imported': 'open',
      'billing.tier.changed': no,
      'billing.limit.changed': no,
      'billing.payment-method.changed': no,
      'billing.closed': no,
    },
    open: {
      'billing.opened': no,
      'billing.imported': no,
      'billing.tier.changed': 'open',
      'billing.limit.changed': 'open',
      'billing.payment-method.changed': 'open',
      'billing.closed': 'deleted',
    },
    deleted: {
      'billing.opened': no,
      'billing.imported': no,
      'billing.tier.changed': no,
      'billing.limit.changed': no,
      'billing.payment-method.changed': no,
      'billing.closed': no,
    },
  },
  conflict: {
    absent: {
      'conflict.opened': 'open',
      'conflict.absorbed': 'settled',
      'conflict.settled': no,
      'conflict.applied': no,
      'conflict.erased': no,
    },
    open: {
      'conflict.opened': no,
      'conflict.absorbed': no,
      // The loser's side is kept; the winner's needs no command (see the golden log).
      'conflict.settled': 'settling',
      'conflict.applied': no,
      'conflict.erased': 'settled',
    },
    settling: {
      'conflict.opened': no,
      'conflict.absorbed': no,
      'conflict.settled': no,
      'conflict.applied': 'settled',
      'conflict.erased': 'settled',
    },
    settled: {
      'conflict.opened': no,
      'conflict.absorbed': no,
      'conflict.settled': no,
      'conflict.applied': no,
      'conflict.erased': 'settled',
    },
  },
}

function stateAfter(entity: EntityDefinition, way: readonly Step[]): ActorState {
  return way.reduce((state, step) => {
    const [type, data] = typeof step === 'string' ? [step, samples[step] ?? {}] : step
    const decision = decide(entity, state, stamp(type, AT, data))
    if (decision === undefined) throw new Error(`${type} was refused`)
    return decision.state
  }, initialState(entity))
}

const byType: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string | null>>>>>> = {
  ...tables,
}

describe.each(entities.map(entity => [entity.type, entity] as const))('%s', (type, entity) => {
  const table = byType[type] ?? {}

  test('has a row for each state of the machine', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(entity.machine.states).sort())
    expect(Object.keys(ways[type] ?? {}).sort()).toEqual(Object.keys(table).sort())
  })

  test.each(Object.keys(table))('in %s takes what the table says, and nothing else', from => {
    const state = stateAfter(entity, ways[type]?.[from] ?? [])
    expect(state.value).toBe(from)
    const found = Object.fromEntries(
      Object.keys(entity.events).map(event => [
        event,
        decide(entity, state, stamp(event, AT, samples[event] ?? {}))?.state.value ?? no,
      ]),
    )
    expect(found).toEqual(table[from])
    // What a refusal offers is what the table takes from outside.
    for (const offered of allowedEvents(entity, state)) expect(entity.events[offered]?.internal).toBe(false)
  })

  test('each event is taken somewhere', () => {
    const taken = new Set(Object.values(table).flatMap(row => Object.keys(row).filter(event => row[event] !== no)))
    expect([...taken].sort()).toEqual(Object.keys(entity.events).sort())
  })
})
