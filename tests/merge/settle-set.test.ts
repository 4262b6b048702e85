/** What is sent when a contested set is settled. */
import { describe, expect, test } from 'vitest'
import type { ActorState } from '../../src/core/state.ts'
import type { EntityDefinition } from '../../src/machines/define.ts'
import { orSet } from '../../src/machines/merge-rules.ts'
import { settleSet } from '../../src/merge/settle-set.ts'

const tags = ({ context }: ActorState) => context['tags'] as readonly string[]
const withTags = (...members: string[]): ActorState => ({ value: 'there', context: { tags: members } })
const entity = (wins: 'add' | 'remove') =>
  ({ type: 'tagged', merge: { 'tags.set': orSet('tags', tags, { wins }) } }) as unknown as EntityDefinition

describe('a set', () => {
  test('in which removals won gets the additions back that lost', () => {
    expect(settleSet(entity('remove'), withTags('b'), 'tags.set', { tags: ['a', 'c'] })).toEqual({
      tags: ['a', 'b', 'c'],
    })
  })

  test('in which additions won loses what others meant to take out', () => {
    expect(settleSet(entity('add'), withTags('a', 'b'), 'tags.set', { tags: ['a', 'c'] })).toEqual({ tags: ['b'] })
  })

  test('that says so already is not sent', () => {
    expect(settleSet(entity('remove'), withTags('a', 'b'), 'tags.set', { tags: ['a'] })).toBeUndefined()
    expect(settleSet(entity('add'), withTags('b'), 'tags.set', { tags: ['a'] })).toBeUndefined()
  })
})
