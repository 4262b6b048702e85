/** Looks after the key ring of a log: what is sealed under which key, a new key, and the end of an old one. */
import { AppError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { type KeyRing, keyIdOf } from './key-ring.ts'
import { readKeyFile, writeKeyFile } from './key-source.ts'
import { newKey, type RingKey } from './key-text.ts'
import { NAMING_CONTEXT, type NamingKeyStore, type OpenedKeyRing } from './open-key-ring.ts'

/** Records of one kind that are sealed under the ring. */
export interface SealedRecords {
  /** How many there are under each key id, as of everything committed before the call. */
  uses(): Promise<ReadonlyMap<string, number>>
  /** Seals under the first key what is under another; answers how many were. Ending it half way leaves both kinds, and all open. */
  reseal(onProgress: (resealed: number) => void): Promise<number>
}

export interface KeyUse {
  readonly id: string
  /** The first seals, the others open; one that is missing is needed and not in the ring. */
  readonly role: 'seals' | 'opens' | 'missing'
  /** What is sealed under it. */
  readonly records: number
}

export interface Rotation {
  /** Under which everything is sealed now. */
  readonly key: string
  /** Whether it was made by this rotation. */
  readonly added: boolean
  readonly resealed: number
}

export interface KeyKeeper {
  list(): Promise<readonly KeyUse[]>
  /**
   * Seals everything under the first key. Where everything is already, a new first key is made, in a file that this node
   * can write; of another source AppError `invalid_input`. `conflict` while another node is at it.
   */
  rotate(onProgress?: (resealed: number, of: number) => void): Promise<Rotation>
  /** Takes a key out of the file. Throws AppError `invalid_input` where anything is sealed under it, or there is no file. */
  drop(id: string): Promise<void>
  /** For a look at the node's health: nothing is read. */
  status(): KeyStatus
}

export interface KeyStatus {
  readonly source: string
  /** The first seals. */
  readonly keys: readonly string[]
  /** What somebody should see to, one sentence each. */
  readonly warnings: readonly string[]
  /** Ids of keys that something is sealed under and the ring lacks, as of the last look. */
  readonly missing: readonly string[]
}

export interface KeyKeeperOptions {
  readonly opened: OpenedKeyRing
  /** In the order in which they are sealed anew. */
  readonly records: readonly SealedRecords[]
  readonly clock: Clock
  /** Runs work in one process at a time, over all nodes; undefined where another has its turn. */
  alone<Result>(work: () => Promise<Result>): Promise<Result | undefined>
}

export function createKeyKeeper({ opened, records, clock, alone }: KeyKeeperOptions): KeyKeeper {
  const { ring, file, source } = opened
  let missing: readonly string[] = []
  let busy = false
  const list = async (): Promise<readonly KeyUse[]> => {
    const uses = new Map<string, number>()
    for (const found of await Promise.all(records.map(record => record.uses())))
      for (const [id, count] of found) uses.set(id, (uses.get(id) ?? 0) + count)
    const ids = ring.keyIds()
    const role = (id: string) => (id === ids[0] ? 'seals' : ids.includes(id) ? 'opens' : 'missing')
    missing = [...uses.keys()].filter(id => !ids.includes(id))
    return [...ids, ...missing].map(id => ({ id, role: role(id), records: uses.get(id) ?? 0 }))
  }
  const stale = async () =>
    (await list()).reduce((sum, { role, records: count }) => (role === 'seals' ? sum : sum + count), 0)
  const inTurn = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    // The lease is this node's: it would let a second caller here in.
    const entered = !busy
    busy = true
    const turn = entered ? alone(async () => ({ value: await work() })) : Promise.resolve(undefined)
    const result = await turn.finally(() => {
      busy = busy && !entered
    })
    if (result === undefined)
      throw new AppError(
        'conflict',
        'Another process is changing the key ring. Nothing was changed; wait for it, or some seconds where it was killed.',
      )
    return result.value
  }

  return {
    list,
    status: () => ({ source, keys: ring.keyIds(), warnings: opened.warnings, missing }),
    rotate: (onProgress = () => {}) =>
      inTurn(async () => {
        let of = await stale()
        const added = of === 0
        // What was begun and not finished is finished first.
        if (added) {
          writeFirst(writable(file, source), ring, newKey(clock.now()))
          of = await stale()
        }
        let resealed = 0
        for (const record of records) {
          const before = resealed
          resealed += await record.reseal(count => onProgress(before + count, of))
        }
        const left = await stale()
        if (left > 0)
          throw new AppError(
            'conflict',
            `${left} records are under older keys still: another node sealed some meanwhile. Give all nodes the ring with '${ring.keyIds()[0]}' first, and rotate again. Everything can be opened.`,
          )
        return { key: ring.keyIds()[0], added, resealed }
      }),
    drop: id =>
      inTurn(async () => {
        const use = (await list()).find(key => key.id === id)
        if (use === undefined || use.role === 'missing')
          throw new AppError('not_found', `The key ring has no key '${id}'. Nothing was changed.`)
        if (use.role === 'seals' || use.records > 0)
          throw new AppError(
            'invalid_input',
            use.role === 'seals'
              ? `The key '${id}' is the one that seals. Nothing was changed. Rotate first.`
              : `${use.records} records are sealed under the key '${id}'. Nothing was changed. Run: rootstream keys rotate`,
          )
        const path = writable(file, source)
        writeKeyFile(
          path,
          readKeyFile(path).filter(key => key.id !== id),
          true,
        )
      }),
  }
}

/** The naming key is sealed too. It comes last, so that a ring without the older keys is refused until all is done. */
export function namingRecord(store: NamingKeyStore, ring: KeyRing): SealedRecords {
  return {
    uses: async () => new Map([[keyIdOf((await store.read()) ?? '') ?? ring.keyIds()[0], 1]]),
    reseal: async onProgress => {
      const sealed = await store.read()
      if (sealed === undefined || !ring.isStale(sealed)) return 0
      await store.replace(sealed, ring.seal(ring.open(sealed, NAMING_CONTEXT), NAMING_CONTEXT))
      onProgress(1)
      return 1
    },
  }
}

function writable(file: string | undefined, source: string): string {
  if (file !== undefined) return file
  throw new AppError(
    'invalid_input',
    `The key ring comes from ${source}, which this program does not write. Nothing was changed. Change it there: \`rootstream keys generate\` prints a key; put it first, give the ring to all nodes, and rotate again.`,
  )
}

function writeFirst(file: string, ring: KeyRing, key: RingKey): void {
  const others = readKeyFile(file)
  writeKeyFile(file, [key, ...others], true)
  if (ring.keyIds()[0] !== key.id) throw new Error(`the new key did not reach the ring from ${file}`)
}
