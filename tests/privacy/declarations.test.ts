/** What entities declare of personal data: nothing is forgotten, and history does without. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { type ActorState, formatStateValue } from '../../src/core/state.ts'
import { decide, initialState, stamp } from '../../src/machines/decide.ts'
import { entities } from '../../src/machines/index.ts'
import { erasedData, personalFields } from '../../src/machines/personal.ts'
import { histories } from '../machines/histories.ts'
import { AT, samples } from '../machines/samples.ts'
import { ways } from '../machines/ways.ts'

/** Fields of the entities that hold personal data which say nothing of a person: ids, times, counts, states, and hashes of what is random. */
const IMPERSONAL = new Set([
  ...[
    'userId',
    'sessionId',
    'keepSession',
    'opened',
    'limit',
    'roles',
    'exactNames',
    'authEpoch',
    'subject',
    'keepVerified',
  ],
  ...[
    'tokenHash',
    'rememberHash',
    'remember',
    'replacesHash',
    'familyHash',
    'shownHash',
    'factorsHash',
    'secretHash',
    'codeHash',
    'backupCodes',
    'purpose',
    'id',
    'passkey.id',
  ],
  ...[
    'expiresAt',
    'tokenExpiresAt',
    'seenAt',
    'idleMs',
    'wantsRemember',
    'methods',
    'method',
    'pending',
    'success',
    'step',
    'counter',
  ],
  ...['backedUp', 'passkey.counter', 'passkey.backedUp', 'passkey.transports'],
  ...['row.is_verified', 'row.is_active', 'row.created_at', 'row.updated_at', 'row.last_login_at'],
  ...['row.user_id', 'row.session_token', 'row.expires_at', 'row.last_activity'],
  ...['actorType', 'actorId', 'actorState', 'eventType', 'basis', 'version', 'clock', 'node', 'incarnation', 'n'],
  ...['strategy', 'fields', 'winner', 'keep', 'taken'],
])
const NESTED = new Set(['row', 'passkey'])

const personal = entities.flatMap(entity => (entity.personal === undefined ? [] : [[entity.type, entity] as const]))

test('the entities of accounts, and conflicts about them', () => {
  expect(personal.map(([type]) => type).sort()).toEqual(
    ['conflict', 'factor', 'mfa-attempt', 'session', 'ticket', 'trusted-device', 'user'].sort(),
  )
})

describe.each(personal)('%s', (type, entity) => {
  const definition = entity.personal
  if (definition === undefined) throw new Error('declares nothing')
  const fieldsOf = (event: string) => personalFields(definition, event)

  test('each field of its events is personal or known not to be', () => {
    for (const [event, { schema }] of Object.entries(entity.events)) {
      const names = Object.entries(schema.shape).flatMap(([name, field]) => {
        if (!NESTED.has(name)) return [name]
        const inner = 'unwrap' in field ? (field as { unwrap(): unknown }).unwrap() : field
        return Object.keys((inner as { shape: object }).shape).map(key => `${name}.${key}`)
      })
      expect(names.length, event).toBe(new Set(names).size)
      const declared = new Set(fieldsOf(event).map(({ name }) => name))
      for (const name of names) expect(declared.has(name) || IMPERSONAL.has(name), `${event} ${name}`).toBe(true)
      for (const name of declared) expect(names, `${event} ${name}`).toContain(name)
    }
  })

  const erased = (event: string, data: JsonObject) => erasedData(definition, event, data, 1)

  test('whoever has them erased gets to the same states, and rows the tables take', () => {
    const events = Object.keys(entity.events)
    const known = (histories[type] ?? []).flat().map(step => (typeof step === 'string' ? samples[step] : step[2]))
    const step = fc.record({
      event: fc.constantFrom(...events),
      other: fc.constantFrom(undefined, ...known),
      ms: fc.integer({ min: 0, max: 3_600_000 }),
    })
    let taken = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        let plain = initialState(entity)
        let without = initialState(entity)
        let now = Date.parse(AT)
        for (const { event, other, ms } of steps) {
          now += ms
          const at = new Date(now).toISOString()
          for (const data of [samples[event] ?? {}, other]) {
            if (data === undefined || entity.events[event]?.schema.safeParse(data).success !== true) continue
            const next = decide(entity, plain, stamp(event, at, data))?.state
            const same = decide(entity, without, stamp(event, at, erased(event, data)))?.state
            expect(same && formatStateValue(same.value)).toBe(next && formatStateValue(next.value))
            if (next === undefined || same === undefined) continue
            taken++
            plain = next
            without = same
            const [row, rowWithout] = [entity.view?.row(1, plain), entity.view?.row(1, without)]
            expect(Object.keys(rowWithout ?? {})).toEqual(Object.keys(row ?? {}))
            for (const [column, value] of Object.entries(row ?? {}))
              if (value === null) expect(rowWithout?.[column] ?? null).toBeNull()
            expect(definition.subject(1, without)).toBe(definition.subject(1, plain))
          }
        }
      }),
      { numRuns: 200 },
    )
    expect(taken).toBeGreaterThan(50)
  })
})

/** The state from which each is told to forget, and by what. Tickets keep a keyed hash until they leave memory, and have no row. */
const ends: Readonly<Record<string, readonly [state: string, event: string]>> = {
  user: ['active', 'user.erased'],
  session: ['revoked', 'session.erased'],
  'mfa-attempt': ['recorded', 'mfa.attempt.erased'],
  conflict: ['open', 'conflict.erased'],
  factor: ['totp', 'factor.removed'],
  'trusted-device': ['trusted', 'device.revoked'],
}

test.each(Object.entries(ends))(
  '%s: told to forget, its state is the one of events that cannot be read',
  (type, [from, last]) => {
    const entity = entities.find(one => one.type === type)
    const definition = entity?.personal
    if (entity === undefined || definition === undefined) throw new Error(`${type} declares nothing`)
    const stateBy = (change: (event: string, data: JsonObject) => JsonObject): ActorState =>
      [...(ways[type]?.[from] ?? []), last].reduce((before, step) => {
        const [event, data] = typeof step === 'string' ? [step, samples[step] ?? {}] : step
        const decision = decide(entity, before, stamp(event, AT, change(event, data)))
        if (decision === undefined) throw new Error(`${event} was refused`)
        return decision.state
      }, initialState(entity))
    const read = stateBy((_, data) => data)
    expect(stateBy((event, data) => erasedData(definition, event, data, 1))).toEqual(read)
  },
)
