/** When connections are cut, as fast-check draws it. */
import fc from 'fast-check'
import type { Cut } from './cuttable-link.ts'
import { oneWithEffect } from './drafts.ts'

const ON_AIR = ['usage.recorded', 'broadcast.']
const OWNED = ['stream.deleted', 'session.revoked']
/** What the statements of an effect have in them. */
const MARKS: Readonly<Record<string, readonly string[]>> = {
  'stream.started': ON_AIR,
  'stream.stopped': ON_AIR,
  'stream.deleted': ON_AIR,
  'user.deleted': OWNED,
  'user.erased': [...OWNED, 'session.erased', 'destroy_personal_key', 'user.forgotten'],
}

const how = fc.constantFrom('kill' as const, 'break' as const)

/** Around an append, where most can go wrong: its statement passes and its answer does not; or anywhere. */
export const cut: fc.Arbitrary<Cut> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ how, pieces: fc.constantFrom(1, 1, 1, 0, 2), from: fc.constant('append_batch') }),
  },
  { weight: 2, arbitrary: fc.record({ how, pieces: fc.nat({ max: 19 }) }) },
)

/** Around an append of an effect, or what else it does. */
const cutInEffect = (marks: readonly string[]): fc.Arbitrary<Cut> =>
  fc.record({ how, pieces: fc.constantFrom(2, 1, 3, 0, 4), from: fc.constantFrom(...marks) })

export const cutOnAir = cutInEffect(ON_AIR)

/** What sets off an effect, and a cut in it. */
export const effectAndCut = oneWithEffect.chain(draft =>
  fc.record({ cut: cutInEffect(MARKS[draft.event] ?? []), drafts: fc.constant([draft]) }),
)
