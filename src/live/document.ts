/** The live figures of one actor in one period, such as a stream while it is on air: a delta-state CRDT, whatever order its entries come in. */
import type { LiveDefinition, LiveField, LiveValue, LiveValues } from '../machines/live-fields.ts'
import { fnv, mix } from './digest.ts'

/** What one node wrote into a field; a delta is a list of them, and so is the whole. */
export interface Entry {
  readonly field: string
  /** `node#incarnation`. */
  readonly writer: string
  /** Grows with each write of the writer; across writers it follows the clock. */
  readonly n: number
  readonly value: LiveValue
}

/** Writers a field remembers. */
export const MAX_WRITERS = 256

interface Slot {
  readonly writer: string
  readonly n: number
  readonly value: LiveValue
  /** Of field and writer: a writer's next write keeps it. */
  readonly seed: number
  readonly hash: number
}

interface Peak {
  readonly peak: string
  readonly max: number
}

const NO_PEAKS: readonly string[] = []
const NO_SLOTS: ReadonlyMap<string, Map<string, Slot>> = new Map()
/** Asked for with every write. */
const PEAKS = new WeakMap<LiveDefinition, ReadonlyMap<string, readonly Peak[]>>()

/** Merges are commutative, associative and idempotent, as long as no field has more than `MAX_WRITERS` writers. */
export class LiveDocument {
  readonly type: string
  readonly id: number
  readonly period: string
  readonly definition: LiveDefinition
  /** XOR over the hashes of all slots: equal where the documents are. */
  hash = 0
  readonly #seed: number
  /** Of fields in which there is one slot for all; the others have one for each writer. */
  readonly #single = new Map<string, Slot>()
  /** Undefined until one is written: of documents with a single figure there are many. */
  #shared: Map<string, Map<string, Slot>> | undefined

  constructor(type: string, id: number, period: string, definition: LiveDefinition) {
    this.type = type
    this.id = id
    this.period = period
    this.definition = definition
    this.#seed = fnv(`${type}/${id}@${period}`)
  }

  /** Takes one entry in; false where it brings nothing new. */
  apply(field: string, writer: string, n: number, value: LiveValue): boolean {
    const rule = this.definition.fields[field]
    if (rule === undefined) return false
    const known = this.#slot(rule, field, writer)
    if (known === undefined) {
      if ((this.#shared?.get(field)?.size ?? 0) >= MAX_WRITERS) return false
    } else {
      if (!isNewer(rule, known, writer, n, value)) return false
      this.hash ^= known.hash
    }
    const seed = known?.writer === writer ? known.seed : this.#seedOf(rule, field, writer)
    // Of a maximum only the figure counts: nodes that took it from different writers agree.
    const hash = mix(seed, hashNumber(rule.rule === 'max' ? Number(value) : n))
    this.#set(rule, field, { writer, n, value, seed, hash })
    this.hash ^= hash
    return true
  }

  /**
   * Takes down the most that a field has been now, where others keep it; returns those that were raised.
   * @param next gives the number of such a write
   */
  raisePeaks(
    field: string,
    writer: string,
    next: () => number,
    isAlive: (writer: string) => boolean,
  ): readonly string[] {
    const peaks = peaksOf(this.definition).get(field)
    if (peaks === undefined) return NO_PEAKS
    const raised: string[] = []
    for (const { peak, max } of peaks)
      if (this.apply(peak, writer, next(), Math.min(Number(this.value(peak, isAlive) ?? 0), max))) raised.push(peak)
    return raised
  }

  /** What a writer has set in a field. */
  own(field: string, writer: string): LiveValue | undefined {
    const rule = this.definition.fields[field]
    return rule === undefined ? undefined : this.#slot(rule, field, writer)?.value
  }

  /** The merged value; undefined where nobody has set it. */
  value(field: string, isAlive: (writer: string) => boolean): LiveValue | undefined {
    const rule = this.definition.fields[field]
    if (rule === undefined) return undefined
    switch (rule.rule) {
      case 'lww':
        return this.#single.get(field)?.value
      case 'max': {
        const most = this.#single.get(field)?.value
        const now = rule.peakOf === undefined ? undefined : this.value(rule.peakOf, isAlive)
        return most === undefined || now === undefined ? (most ?? now) : Math.max(Number(most), Number(now))
      }
      default: {
        const slots = this.#shared?.get(field)
        if (slots === undefined || slots.size === 0) return undefined
        let sum = 0
        for (const slot of slots.values())
          if (rule.rule === 'counter' || isAlive(slot.writer)) sum += Number(slot.value)
        return Math.min(sum, Number.MAX_SAFE_INTEGER)
      }
    }
  }

  values(isAlive: (writer: string) => boolean): LiveValues {
    const values: Record<string, LiveValue> = {}
    for (const field of Object.keys(this.definition.fields)) {
      const value = this.value(field, isAlive)
      if (value !== undefined) values[field] = value
    }
    return values
  }

  /** All there is, or what one writer wrote, or one field of that. */
  entries(writer?: string, field?: string): readonly Entry[] {
    const entries: Entry[] = []
    for (const [name, slot] of this.#slots())
      if ((field === undefined || field === name) && (writer === undefined || slot.writer === writer))
        entries.push({ field: name, writer: slot.writer, n: slot.n, value: slot.value })
    return entries
  }

  writers(): ReadonlySet<string> {
    const writers = new Set<string>()
    for (const [, { writer }] of this.#slots()) writers.add(writer)
    return writers
  }

  #slot(rule: LiveField, field: string, writer: string): Slot | undefined {
    return hasWriters(rule) ? this.#shared?.get(field)?.get(writer) : this.#single.get(field)
  }

  #set(rule: LiveField, field: string, slot: Slot): void {
    if (!hasWriters(rule)) return void this.#single.set(field, slot)
    this.#shared ??= new Map()
    const slots = this.#shared.get(field)
    if (slots === undefined) this.#shared.set(field, new Map([[slot.writer, slot]]))
    else slots.set(slot.writer, slot)
  }

  *#slots(): Generator<readonly [field: string, slot: Slot]> {
    yield* this.#single
    for (const [field, slots] of this.#shared ?? NO_SLOTS) for (const slot of slots.values()) yield [field, slot]
  }

  #seedOf({ rule }: LiveField, field: string, writer: string): number {
    const seed = mix(this.#seed, fnv(field))
    return rule === 'max' ? seed : mix(seed, fnv(writer))
  }
}

/** By field: those that keep the most it has been. */
function peaksOf(definition: LiveDefinition): ReadonlyMap<string, readonly Peak[]> {
  const known = PEAKS.get(definition)
  if (known !== undefined) return known
  const peaks = new Map<string, Peak[]>()
  for (const [peak, rule] of Object.entries(definition.fields))
    if ('peakOf' in rule && rule.peakOf !== undefined)
      peaks.set(rule.peakOf, [...(peaks.get(rule.peakOf) ?? []), { peak, max: rule.max }])
  PEAKS.set(definition, peaks)
  return peaks
}

/** One slot for each writer, or one for all. */
function hasWriters({ rule }: LiveField): boolean {
  return rule === 'sumByNode' || rule === 'counter'
}

function isNewer({ rule }: LiveField, known: Slot, writer: string, n: number, value: LiveValue): boolean {
  if (rule === 'max') return value > known.value
  // A total never shrinks, whatever else is said of it.
  if (rule === 'counter') return value > known.value || (value === known.value && n > known.n)
  if (n !== known.n) return n > known.n
  // A tie needs a winner all nodes agree on.
  if (writer !== known.writer) return writer > known.writer
  return value > known.value
}

function hashNumber(value: number): number {
  return mix(value >>> 0, Math.floor(value / 2 ** 32))
}
