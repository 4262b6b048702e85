/** Reads the whole log and holds it against its seals, and both against seals that were kept elsewhere. */
import type { SealedLog } from '../core/ports.ts'
import type { Seal, SealSummary } from '../core/seal.ts'
import { GENESIS, RangeDigest, sealHash } from './digest.ts'
import { byCount, type Finding, locate, named, rangeOf } from './findings.ts'
import { LogReader } from './log-reader.ts'

export interface AuditReport {
  readonly ok: boolean
  /** Seals in the database, and exported ones that they were held against. */
  readonly seals: number
  readonly exported: number
  /** Events that were read under seals. */
  readonly events: number
  /** Position up to which there are seals. */
  readonly sealed: number
  /** Events after it. */
  readonly unsealed: number
  /** In the order of the log, at most 100. */
  readonly findings: readonly Finding[]
}

export interface VerifyOptions {
  readonly log: SealedLog
  /** Exported seals by number: they are believed, those in the database are held against them. */
  readonly exported?: ReadonlyMap<number, SealSummary>
  readonly onProgress?: (progress: { readonly position: number; readonly head: number }) => void
}

/** What there is of one number. At least one of the two. */
interface Pair {
  readonly number: number
  readonly stored?: Seal | undefined
  readonly outside?: SealSummary | undefined
}

/** The log begins at position 1; what somebody put before it would be read by nobody else. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER
const PAGE = 100
const MAX_FINDINGS = 100

/** Answers what it finds. Throws AppError `log_unavailable`, and `corrupt_data` where the log cannot be read at all. */
export async function verifyLog({
  log,
  exported = new Map(),
  onProgress = () => {},
}: VerifyOptions): Promise<AuditReport> {
  const head = await log.head()
  const reader = new LogReader(log)
  const findings: Finding[] = []
  const report = (found: readonly Finding[]) => findings.push(...found.slice(0, MAX_FINDINGS - findings.length))
  const count = { seals: 0, exported: 0, events: 0, sealed: 0 }
  let before: Pair = { number: 0 }
  for await (const pair of pairs(log, exported)) {
    if (pair.number > before.number + 1) {
      report([missing(before, pair)])
      before = { number: pair.number - 1 }
    }
    const seal = believed(pair)
    const range = new RangeDigest()
    await reader.range(startOf(seal, before), seal.last, event => range.add(event))
    report([...chain(pair, before), ...contents(pair, range, head)])
    if (pair.stored !== undefined) count.seals++
    if (pair.outside !== undefined) count.exported++
    count.events += range.events
    count.sealed = Math.max(count.sealed, seal.last)
    before = pair
    onProgress({ position: seal.last, head })
  }
  return { ok: findings.length === 0, ...count, unsealed: await log.countAfter(count.sealed), findings }
}

async function* pairs(log: SealedLog, exported: ReadonlyMap<number, SealSummary>): AsyncIterable<Pair> {
  const outside = [...exported.values()].sort((a, b) => a.number - b.number)
  let next = 0
  let after = 0
  for (;;) {
    const page = await log.seals(after, PAGE)
    for (const stored of page) {
      for (let seal = outside[next]; seal !== undefined && seal.number < stored.number; seal = outside[++next])
        yield { number: seal.number, outside: seal }
      const same = outside[next]?.number === stored.number ? outside[next++] : undefined
      yield { number: stored.number, stored, outside: same }
      after = stored.number
    }
    if (page.length < PAGE) break
  }
  for (const seal of outside.slice(next)) yield { number: seal.number, outside: seal }
}

function believed({ stored, outside }: Pair): SealSummary {
  const seal = outside ?? stored
  if (seal === undefined) throw new Error('a pair without a seal')
  return seal
}

function isIntact(stored: Seal): boolean {
  return sealHash(stored) === stored.hash
}

/** The end of the seal before, where that can be believed; else the range begins where the seal says. */
function startOf(seal: SealSummary, { number, stored, outside }: Pair): number {
  if (number === 0) return BEFORE_ALL
  if (outside?.hash === seal.previous) return outside.last
  return stored?.hash === seal.previous && isIntact(stored) ? stored.last : seal.first - 1
}

/** Whether the seal continues the one before it. An altered seal was named already: what it links cannot be judged. */
function chain(pair: Pair, before: Pair): readonly Finding[] {
  const findings: Finding[] = []
  const breaks = (seal: SealSummary | undefined, last: string | undefined, exported: boolean) => {
    if (seal === undefined || last === undefined || seal.previous === last) return
    findings.push({
      ...rangeOf(seal),
      kind: 'chain_broken',
      ...(exported ? { exported } : {}),
      message: `${named(seal, exported)} does not continue seal ${seal.number - 1}: that one is not the seal that was there when this one was made.`,
    })
  }
  const link = ({ number, stored }: Pair) =>
    number === 0 ? GENESIS : stored !== undefined && isIntact(stored) ? stored.hash : undefined
  const { stored, outside } = pair
  if (outside !== undefined && outside.hash !== stored?.hash)
    breaks(outside, before.outside?.hash ?? link(before), true)
  if (stored !== undefined && isIntact(stored)) breaks(stored, link(before), false)
  return findings
}

/** Whether the events are those that were sealed. */
function contents({ stored, outside }: Pair, range: RangeDigest, head: number): readonly Finding[] {
  const holds = (seal: SealSummary) => seal.events === range.events && seal.eventsHash === range.eventsHash()
  const intact = stored !== undefined && isIntact(stored)
  if (stored !== undefined && intact && (outside === undefined || outside.hash === stored.hash))
    return holds(stored) ? [] : [locate(stored, range)]
  if (outside === undefined)
    return stored === undefined
      ? []
      : [
          {
            ...rangeOf(stored),
            kind: 'seal_altered',
            message: `${named(stored)} was altered: its parts do not have its hash.`,
          },
        ]
  const exported = true
  if (!holds(outside))
    return head < outside.last
      ? [
          {
            ...rangeOf(outside),
            kind: 'log_shorter',
            exported,
            message: `${named(outside, exported)}: the log ends at position ${head}. Events were removed from its end after the export.`,
          },
        ]
      : [byCount(outside, range, exported)]
  const [kind, how] =
    stored === undefined ? (['seal_missing', 'is missing'] as const) : (['seal_altered', 'was altered'] as const)
  return [
    {
      ...rangeOf(outside),
      kind,
      exported,
      message: `${named(outside)} ${how} in the database. Its events are those of the exported seal.`,
    },
  ]
}

function missing(before: Pair, next: Pair): Finding {
  const [from, to] = [before.number + 1, next.number - 1]
  const first = before.number === 0 ? 1 : believed(before).last + 1
  const last = believed(next).first - 1
  return {
    kind: 'seal_missing',
    seal: from,
    first,
    last,
    message: `${from === to ? `Seal ${from} is` : `Seals ${from} to ${to} are`} missing (positions ${first} to ${last}).`,
  }
}
