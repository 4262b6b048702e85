/** The passkeys of a user, as events leave them. */
import type { FactorEvent, Passkey } from './events.ts'

export interface HeldPasskey extends Passkey {
  /** ISO 8601. */
  readonly addedAt: string
  readonly lastUsedAt: string | null
  /** Its counter did not grow once. */
  readonly doubted: boolean
}

export function held(passkey: Passkey, at: string): HeldPasskey {
  return { ...passkey, addedAt: at, lastUsedAt: null, doubted: false }
}

export function holds({ passkeys }: { readonly passkeys: readonly HeldPasskey[] }, id: string): boolean {
  return passkeys.some(key => key.id === id)
}

/** A counter that does not grow is a copy of the key; keys without one always say 0. */
export function counts(passkeys: readonly HeldPasskey[], id: string, counter: number): boolean {
  const known = passkeys.find(key => key.id === id)
  return known !== undefined && (counter > known.counter || (counter === 0 && known.counter === 0))
}

export function passkeysAfter(passkeys: readonly HeldPasskey[], event: FactorEvent): readonly HeldPasskey[] {
  switch (event.type) {
    case 'factor.passkey.added':
      return [...passkeys, held(event.passkey, event.at)]
    case 'factor.passkey.used':
      return withChanged(passkeys, event.id, ({ backedUp }) => ({
        counter: event.counter,
        backedUp: event.backedUp ?? backedUp,
        lastUsedAt: event.at,
      }))
    case 'factor.passkey.doubted':
      return withChanged(passkeys, event.id, () => ({ doubted: true }))
    case 'factor.passkey.renamed':
      return withChanged(passkeys, event.id, () => ({ label: event.label }))
    case 'factor.passkey.removed':
      return passkeys.filter(({ id }) => id !== event.id)
    default:
      return passkeys
  }
}

function withChanged(
  passkeys: readonly HeldPasskey[],
  id: string,
  change: (key: HeldPasskey) => Partial<HeldPasskey>,
): readonly HeldPasskey[] {
  return passkeys.map(key => (key.id === id ? { ...key, ...change(key) } : key))
}
