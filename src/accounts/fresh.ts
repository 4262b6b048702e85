/** How lately something was shown. */
import type { AccountPorts } from './ports.ts'

export function isFresh(
  { clock, settings }: Pick<AccountPorts, 'clock' | 'settings'>,
  at: string | null,
  withinMs: number = settings.stepUpMs,
): boolean {
  return isWithin(at, clock.now(), withinMs)
}

/** The node on which it was shown may be ahead of this one, but not by more than counts as lately. */
export function isWithin(at: string | null, now: number, withinMs: number): boolean {
  return at !== null && Math.abs(now - Date.parse(at)) <= withinMs
}
