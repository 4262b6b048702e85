/** The generated pages: they say what the code says, in a form that Markdown and Mermaid take. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { describeType } from '../../scripts/reference/events.ts'
import { modelOf } from '../../scripts/reference/machine-model.ts'
import { diagram, machinesPage } from '../../scripts/reference/machines.ts'
import { table } from '../../scripts/reference/markdown.ts'
import { defineEntity } from '../../src/machines/define.ts'
import { entities } from '../../src/machines/index.ts'
import { bookingEntity } from '../support/booking-entity.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

test('the pages of machines, events and errors are up to date: npm run docs', () => {
  // In a process of its own: guards are shown as they are written, and here vitest has rewritten them.
  const { status, stderr } = spawnSync(process.execPath, ['scripts/generate-docs.ts', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

describe('diagrams', () => {
  // The grammar of stateDiagram-v2, as far as it is used: a label ends at a colon or semicolon.
  const LABEL = /^(?:[^:;#<>"{}]|#\w+;|<br\/>)+$/
  const LINES = [
    /^stateDiagram-v2$/,
    /^ +\[\*\] --> s_\w+$/,
    /^ +s_\w+ --> \[\*\]$/,
    /^ +s_\w+(?: --> s_\w+)? : (?<label>.*)$/,
    /^ +state "[^":;]*" as s_\w+ \{$/,
    /^ +(?:\}|--)$/,
  ]
  const wrongLines = (text: string) =>
    text.split('\n').filter(line => {
      const found = LINES.map(form => form.exec(line)).find(match => match !== null)
      return found === undefined || (found.groups !== undefined && !LABEL.test(found.groups['label'] ?? ''))
    })

  test.each([...entities, bookingEntity()])('of $type: valid, with every state and event', entity => {
    const text = diagram(modelOf(entity))
    expect(wrongLines(text)).toEqual([])
    for (const state of Object.keys(entity.machine.root.states))
      expect(text).toContain(` s_${state.replaceAll('-', '_')} : ${state}\n`)
    for (const event of Object.keys(entity.events)) expect(text).toContain(event)
  })

  test('timers, effects, guards, gone states and what an event leaves as it is', () => {
    const page = machinesPage([bookingEntity()])
    for (const line of [
      's_made : booking.changed',
      's_made --> s_expired : booking.expired [hasExpiry] (timer expiry)',
      's_confirmed : runs sendTicket',
      's_confirmed --> s_ticketed : booking.ticket.sent (internal)',
      's_deleted --> [*]',
      'No event leads out of `expired`, `deleted`.',
    ])
      expect(page).toContain(line)
    expect(modelOf(bookingEntity())).toMatchObject({
      timers: [
        {
          name: 'expiry',
          event: 'booking.expired',
          setBy: ['entering `made`', '`booking.extended`'],
          cancelledBy: ['leaving `made`'],
        },
      ],
      effects: [{ name: 'sendTicket', startedBy: ['being in `confirmed`'] }],
    })
  })

  test('nested and parallel states, hostile names and conditions stay valid', () => {
    const entity = defineEntity({
      type: 'odd',
      events: {},
      machine: createMachine({
        initial: 'end',
        on: { 'any.where': '.end' },
        states: {
          end: {
            on: { 'a:b;c': [{ guard: ({ event }) => event.type === '{"<#>"}', target: 'a-b' }, { target: 'both' }] },
          },
          'a-b': { initial: 'one', states: { one: { on: { 'go.on': 'two' } }, two: { type: 'final' } } },
          both: { type: 'parallel', states: { left: {}, right: {} } },
        },
      }),
    })
    const text = diagram(modelOf(entity))
    expect(wrongLines(text)).toEqual([])
    for (const line of [
      '  [*] --> s_end',
      '  state "a-b" as s_a_b {',
      '    [*] --> s_a_b__one',
      '  s_a_b__one --> s_a_b__two : go.on',
      '  --',
      '  s_both --> s_end : any.where',
    ])
      expect(text).toContain(line)
    expect(text).toMatch(/s_end --> s_both : a#58;b#59;c \[otherwise\]/)
  })
})

test.each([
  [{ type: 'integer', minimum: 1, maximum: 9 }, 'integer 1 to 9'],
  [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'integer from 0'],
  [{ type: ['string', 'null'], maxLength: 3 }, 'string (at most 3 characters) or null'],
  [{ anyOf: [{ type: 'null' }, { type: 'string', minLength: 1, maxLength: 3 }] }, 'string (1 to 3 characters) or null'],
  [{ type: 'string', enum: ['a', 'b'] }, '`"a"` or `"b"`'],
  [{ type: 'array', items: { type: 'boolean' }, maxItems: 2 }, 'list of boolean (at most 2 entries)'],
  [{ type: 'string', format: 'date-time', pattern: 'x' }, 'time (ISO 8601 with its zone)'],
  [{}, 'anything'],
])('the type %j reads %s', (json, text) => {
  expect(describeType(json)).toBe(text)
})

test('a bar in a cell does not end it', () => {
  expect(table(['a', 'b'], [['`x || y`', '']])).toBe(
    '| a          | b   |\n| ---------- | --- |\n| `x \\|\\| y` |     |',
  )
})
