/** What is hashed: every column of an event as one canonical text, a range of events, and a seal. */
import { hash } from 'node:crypto'
import type { Seal, SealSummary, SealTip, StoredEvent } from '../core/seal.ts'
import { canonicalJson } from '../core/state.ts'
import { exactJson } from './exact-json.ts'

/** What the first seal names as the one before it. */
export const GENESIS = '0'.repeat(64)
/** Bytes of a mark: four of the distance, four of the digest. */
export const MARK = 8
/** Positions further apart than this do not fit into one seal. */
export const MAX_DISTANCE = 0xff_ff_ff_ff

const FORMAT = 1
const PLAIN = /^[\w.:/-]*$/

/** The columns in order as a JSON array: whole numbers as digits, `data` in canonical form. */
export function canonicalEvent(event: StoredEvent): string {
  const [position, actorType, actorId, version, type, schemaVersion, data, state, at] = event
  const [, , , , , , , , , node, incarnation, n, userId, commandId, causation, correlation, token, origin] = event
  return (
    `[${position},${text(actorType)},${actorId},${version},${text(type)},${schemaVersion},${exactJson(data)},${text(state)}` +
    `,${text(at)},${text(node)},${incarnation},${n},${userId},${text(commandId)},${causation},${text(correlation)},${token}` +
    // Left out where there is none: seals from before there were any stay what they are.
    `${origin === null ? '' : `,${exactJson(origin)}`}]`
  )
}

/** Collects a range of events. */
export class RangeDigest {
  readonly positions: number[] = []
  /** 32 characters of one byte each: half the cost of a buffer for each event. */
  readonly #digests: string[] = []

  add(event: StoredEvent): void {
    this.positions.push(Number(event[0]))
    this.#digests.push(hash('sha256', canonicalEvent(event), 'binary'))
  }

  get events(): number {
    return this.positions.length
  }

  eventsHash(): string {
    return hash('sha256', Buffer.from(this.#digests.join(''), 'latin1'), 'hex')
  }

  /** The start of each digest by position, as marks hold it. */
  tags(): ReadonlyMap<number, number> {
    return new Map(
      this.positions.map((position, index) => [
        position,
        Buffer.from((this.#digests[index] ?? '').slice(0, 4), 'latin1').readUInt32BE(),
      ]),
    )
  }

  marks(): Buffer {
    const first = this.positions[0] ?? 0
    const marks = Buffer.alloc(this.events * MARK)
    for (const [index, position] of this.positions.entries()) {
      marks.writeUInt32BE(position - first, index * MARK)
      marks.write(this.#digests[index] ?? '', index * MARK + 4, 4, 'latin1')
    }
    return marks
  }
}

/** The next seal of the chain. */
export function createSeal(before: SealTip | undefined, events: readonly StoredEvent[], sealedAt: string): Seal {
  const range = new RangeDigest()
  for (const event of events) range.add(event)
  const marks = range.marks()
  const seal = {
    number: (before?.number ?? 0) + 1,
    first: range.positions[0] ?? 0,
    last: range.positions.at(-1) ?? 0,
    events: range.events,
    eventsHash: range.eventsHash(),
    marksHash: hash('sha256', marks, 'hex'),
    previous: before?.hash ?? GENESIS,
    sealedAt,
  }
  return { ...seal, marks, hash: sealHash(seal) }
}

/** Binds every part of the seal, and through `previous` every seal before it. */
export function sealHash(seal: Omit<SealSummary, 'hash'>): string {
  const { number, first, last, events, eventsHash, marksHash, previous, sealedAt } = seal
  return hash(
    'sha256',
    canonicalJson({ format: FORMAT, number, first, last, events, eventsHash, marksHash, previous, sealedAt }),
    'hex',
  )
}

/** The seal without its marks, as it is exported. */
export function summary({ marks: _, ...seal }: Seal): SealSummary {
  return seal
}

// Most names need no escaping, and asking costs less than doing it.
function text(value: string | null): string {
  return value !== null && PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
}
