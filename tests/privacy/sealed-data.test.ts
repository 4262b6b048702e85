/** Sealing and opening, one event at a time: what is in the clear, what opens where, and what is read where it does not. */
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { asKey, open, seal } from '../../src/cipher.ts'
import type { LogEvent, Origin } from '../../src/core/event.ts'
import { actorId } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { SEALED_KEY, sealedPart } from '../../src/core/personal.ts'
import { initialState } from '../../src/machines/decide.ts'
import { session } from '../../src/machines/session/index.ts'
import { user } from '../../src/machines/user/index.ts'
import { isPersonal, openEvent, openSnapshot, sealEvent, sealSnapshot } from '../../src/privacy/sealed-data.ts'

const key = createSecretKey(randomBytes(32))
const place = { actorType: 'user', actorId: 12, version: 3, type: 'user.updated' }
const data = { username: 'ada', displayName: null }
const neverBroken = () => expect.unreachable('nothing is broken')

function logEvent(
  stored: { data: JsonObject; origin?: Origin | undefined },
  changes: Partial<LogEvent> = {},
): LogEvent {
  return {
    ...{ position: 9, actorType: 'user', actorId: actorId(12), version: 3, type: 'user.updated', schemaVersion: 1 },
    ...{ data: stored.data, state: 'active', at: '2026-01-01T00:00:00.000Z', userId: 12, commandId: null },
    ...{ causation: null, correlation: null, node: 'a', incarnation: 1, n: 1, token: null },
    ...(stored.origin === undefined ? {} : { origin: stored.origin }),
    ...changes,
  }
}

const sealed = sealEvent(user, 12, key, place, { data, origin: undefined })

describe('an event', () => {
  test('says in the clear whose it is and which fields there are, and nothing of what they say', () => {
    expect(Object.keys(sealed.data)).toEqual([SEALED_KEY])
    expect(sealedPart(sealed.data)).toMatchObject({ of: 12, fields: ['username', 'displayName'] })
    expect(JSON.stringify(sealed)).not.toContain('ada')
  })

  test('opens to what was given', () => {
    expect(openEvent(user, key, logEvent(sealed), neverBroken).data).toEqual(data)
  })

  test('is sealed otherwise each time', () => {
    expect(sealEvent(user, 12, key, place, { data, origin: undefined })).not.toEqual(sealed)
  })

  test('reads as erased without the key, by what was there', () => {
    expect(openEvent(user, null, logEvent(sealed), neverBroken).data).toEqual({
      username: 'erased-12',
      displayName: null,
    })
  })

  test('keeps what is not personal in the clear, within a row too', () => {
    const row = { user_id: 12, session_token: 'hash', ip_address: '192.0.2.1', user_agent: 'me', device_id: null }
    const at = { actorType: 'session', actorId: 5, version: 1, type: 'session.imported' }
    const stored = sealEvent(session, 12, key, at, { data: { row }, origin: undefined })
    expect(stored.data['row']).toEqual({ user_id: 12, session_token: 'hash' })
    const event = logEvent(stored, { ...at, actorId: actorId(5) })
    expect(openEvent(session, key, event, neverBroken).data).toEqual({ row })
    expect(openEvent(session, null, event, neverBroken).data).toEqual({
      row: { user_id: 12, session_token: 'hash', ip_address: null, user_agent: null, device_id: null },
    })
  })

  test('of a user who was erased is written as erased', () => {
    expect(sealEvent(user, 12, null, place, { data, origin: undefined }).data).toEqual({
      username: 'erased-12',
      displayName: null,
    })
  })

  test('of an origin, what somebody entered is sealed; that it comes from beside the log is not', () => {
    const beside = { basis: 2, clock: 'c', node: 'a', incarnation: 1, n: 4 }
    const origin = { ...beside, given: { displayName: 'Ada' }, conflict: { loser: { displayName: 'Eve' } } }
    const stored = sealEvent(user, 12, key, place, { data, origin })
    expect(stored.origin).toEqual(beside)
    expect(openEvent(user, key, logEvent(stored), neverBroken)).toMatchObject({ data, origin })
    expect(openEvent(user, null, logEvent(stored), neverBroken).origin).toEqual(beside)
  })

  test.each([
    ['is personal', 'user.updated', { username: 'ada' }, true],
    ['has nothing personal', 'user.roles.changed', { roles: [] }, false],
    ['lacks what would be', 'user.deactivated', {}, false],
  ])('that %s', (_, type, given: JsonObject, expected) => {
    expect(isPersonal(user, type, given, undefined)).toBe(expected)
  })
})

describe('somebody who may write to the database', () => {
  const part = sealedPart(sealed.data)
  const tampered = (change: (bytes: Buffer) => Buffer) => {
    const bytes = change(Buffer.from(part?.sealed ?? '', 'base64url'))
    return { data: { [SEALED_KEY]: { ...part, sealed: bytes.toString('base64url') } as unknown as JsonObject } }
  }
  const elsewhere: Readonly<Record<string, Partial<LogEvent>>> = {
    'to another user': { actorId: actorId(13) },
    'to another version': { version: 4 },
    'to another event': { type: 'user.registered' },
    'to another entity': { actorType: 'session' },
  }

  test.each(Object.entries(elsewhere))('moves it %s: it is read as erased, and that is told', (_, changes) => {
    const broken: number[] = []
    const opened = openEvent(user, key, logEvent(sealed, changes), ({ position }) => broken.push(position))
    expect(JSON.stringify(opened)).not.toContain('ada"')
    expect(broken).toEqual([9])
  })

  test.each([
    ['changes a byte', (bytes: Buffer) => Buffer.from(bytes.map((byte, index) => (index === 20 ? byte ^ 1 : byte)))],
    ['cuts the tag to four bytes', (bytes: Buffer) => bytes.subarray(0, -12)],
    ['cuts it all', () => Buffer.alloc(0)],
  ])('%s: it is read as erased, and that is told', (_, change) => {
    const broken: number[] = []
    const opened = openEvent(user, key, logEvent(tampered(change)), ({ position }) => broken.push(position))
    expect(opened.data).toEqual({ username: 'erased-12', displayName: null })
    expect(broken).toEqual([9])
  })

  test('gives it the key of another user', () => {
    const other = createSecretKey(randomBytes(32))
    expect(openEvent(user, other, logEvent(sealed), () => {}).data).toMatchObject({ username: 'erased-12' })
  })
})

describe('a snapshot', () => {
  const actor = { type: 'user', id: 12 }
  const snapshot = { version: 100, stateVersion: 3, state: { value: 'active', context: { row: { username: 'ada' } } } }
  const stored = sealSnapshot(actor, 12, key, snapshot)

  test('is sealed whole, and is of no use without the key or elsewhere', () => {
    expect(JSON.stringify(stored)).not.toContain('ada')
    expect(openSnapshot(actor, key, stored)).toEqual(snapshot)
    expect(openSnapshot(actor, null, stored)).toBeUndefined()
    expect(openSnapshot({ ...actor, id: 13 }, key, stored)).toBeUndefined()
    expect(openSnapshot(actor, key, { ...stored, version: 101 })).toBeUndefined()
    expect(openSnapshot(actor, key, snapshot)).toBe(snapshot)
  })
})

test('a text of any letters comes back; what is no key is none', () => {
  for (const text of ['', 'ä"\\\u2028', '🦜'.repeat(1_000)])
    expect(open(key, seal(key, text, 'here'), 'here')).toBe(text)
  expect(() => asKey(Buffer.alloc(31))).toThrow('no key')
})

test('the subject of a user is itself, of a session its user, of none that is not there nobody', () => {
  expect(user.personal?.subject(12, initialState(user))).toBe(12)
  expect(session.personal?.subject(5, initialState(session))).toBeNull()
})
