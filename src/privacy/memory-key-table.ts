/** Keys of a runtime that keeps everything in memory. */
import type { PersonalKeyTable } from '../core/personal.ts'

export function createMemoryKeyTable(): PersonalKeyTable {
  const keys = new Map<number, string | null>()
  const those = (users: Iterable<number>) => {
    const found = new Map<number, string | null>()
    for (const user of users) {
      const wrapped = keys.get(user)
      if (wrapped !== undefined) found.set(user, wrapped)
    }
    return found
  }
  return {
    read: async users => those(users),
    add: async wrapped => {
      for (const [user, key] of wrapped) if (!keys.has(user)) keys.set(user, key)
      return those(wrapped.keys())
    },
    destroy: async user => {
      keys.set(user, null)
    },
    page: async (after, limit) =>
      [...keys]
        .flatMap(([user, wrapped]) => (wrapped === null || user <= after ? [] : [[user, wrapped] as const]))
        .sort(([a], [b]) => a - b)
        .slice(0, limit),
    replace: async changes => {
      const current = changes.filter(({ user, from }) => keys.get(user) === from)
      for (const { user, to } of current) keys.set(user, to)
      return current.length
    },
    // It does not outlive the ring.
    uses: async () => new Map(),
  }
}
