/** A total that several nodes write whole: what counts of each is the difference it made. */
import type { Merged, OffsideEvent } from '../machines/merge-rules.ts'

/** @param head the total of the head of the log */
export function mergeTotal(field: string, head: number, event: OffsideEvent): Merged {
  const wanted = event.data[field]
  const seen = event.observed?.[field]
  if (typeof wanted !== 'number' || typeof seen !== 'number') return { outcome: 'applied', data: event.data }
  return { outcome: 'applied', data: { ...event.data, [field]: Math.max(0, head + wanted - seen) } }
}
