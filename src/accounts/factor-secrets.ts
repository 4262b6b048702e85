/** The sealed secrets of factors, as the keeper of the key ring sees them. */

import type { ActorHandle } from '../actors/api.ts'
import type { SealedRecords } from '../auth/key-keeper.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { FactorContext } from '../machines/factor/machine.ts'
import { secretContext } from './factors.ts'

const PAGE = 500

export interface FactorSecretPorts {
  readonly keys: KeyRing
  factor(id: number): ActorHandle
  /** As of everything committed before the call. */
  uses(): Promise<ReadonlyMap<string, number>>
  /** Ids of factors whose secret is under another key, after an id. */
  notUnder(keyId: string, after: number, limit: number): Promise<readonly number[]>
}

/** Each is sealed anew by an event of its own: what a kill leaves undone, the next run finds. */
export function createFactorSecrets({ keys, factor, uses, notUnder }: FactorSecretPorts): SealedRecords {
  const resealOne = async (id: number): Promise<number> => {
    const handle = factor(id)
    const view = await handle.state()
    const { row } = view.context as unknown as FactorContext
    if (row === null || row.secret === '' || !keys.isStale(row.secret)) return 0
    const context = secretContext(id)
    const secret = keys.seal(keys.open(row.secret, context), context)
    // One that was removed meanwhile has no secret to keep.
    return (await handle.send({ type: 'factor.resealed', secret })).ok ? 1 : 0
  }
  return {
    uses,
    reseal: async onProgress => {
      let resealed = 0
      for (let after = 0; ; ) {
        const page = await notUnder(keys.keyIds()[0], after, PAGE)
        for (const count of await Promise.all(page.map(resealOne))) resealed += count
        onProgress(resealed)
        if (page.length < PAGE) return resealed
        after = page.at(-1) ?? after
      }
    },
  }
}
