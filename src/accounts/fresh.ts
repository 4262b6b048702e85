/** How lately something was shown. */
import type { AccountPorts } from './ports.ts'

/** The node on which it was shown may be ahead of this one, but not by more than counts as lately. */
export function isFresh(
  { clock, settings }: Pick<AccountPorts, 'clock' | 'settings'>,
  at: string | null,
  withinMs: number = settings.stepUpMs,
): boolean {
  return at !== null && Math.abs(clock.now() - Date.parse(at)) <= withinMs
}
