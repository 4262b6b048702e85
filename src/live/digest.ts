/** Hashes that nodes compare to find what they do not have in common. Against accidents, not against forgers. */

export const SHARDS = 1_024

/** FNV-1a, 32 bits. */
export function fnv(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}

/** Stirs one number into another (the finaliser of MurmurHash3). */
export function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) | 0
}

export function shardOf(type: string, id: number): number {
  return (fnv(type) + id) & (SHARDS - 1)
}

/** Shards in which two digests differ. */
export function differing(one: readonly number[], other: readonly number[]): ReadonlySet<number> {
  return new Set(one.flatMap((hash, shard) => (hash === other[shard] ? [] : [shard])))
}
