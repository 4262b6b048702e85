/** The difference between two states. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { diffStates } from '../../src/core/state-diff.ts'

const diff = (before: JsonObject, after: JsonObject) =>
  diffStates({ state: 'live', context: before }, { state: 'live', context: after }).changes

describe('diffStates', () => {
  test('names the state where it changed, and nothing where nothing did', () => {
    const same = { state: 'live', context: { row: { a: 1, b: null } } }
    expect(diffStates(same, { state: 'live', context: { row: { b: null, a: 1 } } })).toEqual({
      state: undefined,
      changes: [],
    })
    expect(diffStates(same, { ...same, state: 'idle' })).toEqual({
      state: { before: 'live', after: 'idle' },
      changes: [],
    })
  })

  test('follows objects inwards and names each path that changed, in order', () => {
    expect(
      diff(
        { row: { name: 'a', viewers: 1, deep: { x: 1, y: 2 } }, n: 1 },
        { row: { name: 'a', viewers: 2, deep: { x: 1, y: 3 } }, n: 2 },
      ),
    ).toEqual([
      { path: ['n'], before: 1, after: 2 },
      { path: ['row', 'deep', 'y'], before: 2, after: 3 },
      { path: ['row', 'viewers'], before: 1, after: 2 },
    ])
  })

  test('a path that came or went has one side only; null is a value', () => {
    expect(diff({ gone: 1, nulled: 1 }, { came: null, nulled: null })).toEqual([
      { path: ['came'], after: null },
      { path: ['gone'], before: 1 },
      { path: ['nulled'], before: 1, after: null },
    ])
    expect(diff({ row: null }, { row: { id: 1 } })).toEqual([{ path: ['row'], before: null, after: { id: 1 } }])
  })

  test('an array is one value', () => {
    expect(diff({ roles: ['viewer'] }, { roles: ['admin', 'viewer'] })).toEqual([
      { path: ['roles'], before: ['viewer'], after: ['admin', 'viewer'] },
    ])
    expect(diff({ roles: [{ a: 1, b: 2 }] }, { roles: [{ b: 2, a: 1 }] })).toEqual([])
    expect(diff({ x: [] }, { x: {} })).toEqual([{ path: ['x'], before: [], after: {} }])
  })

  test('a secret that changed is told, and neither of its values shown', () => {
    const changes = diff(
      { row: { stream_key: 'old-key', tokenHash: { part: 'old-part' } } },
      { row: { stream_key: 'new-key', tokenHash: { part: 'new-part' } } },
    )
    expect(changes).toEqual([
      { path: ['row', 'stream_key'], before: '***', after: '***' },
      { path: ['row', 'tokenHash'], before: '***', after: '***' },
    ])
    expect(diff({ row: null }, { row: { password_hash: 'h', name: 'n' } })).toEqual([
      { path: ['row'], before: null, after: { password_hash: '***', name: 'n' } },
    ])
  })

  test('keys that objects bring along are no values of the context', () => {
    expect(diff({}, JSON.parse('{"__proto__": 1, "constructor": 2}'))).toEqual([
      { path: ['__proto__'], after: 1 },
      { path: ['constructor'], after: 2 },
    ])
  })
})
