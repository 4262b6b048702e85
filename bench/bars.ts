/** Figures of a benchmark beside what each is held against. */
export interface Bar {
  readonly seen: number
  readonly unit: string
  readonly bar: number
  readonly met: boolean
}

/** Met by this much or less. */
export function atMost(bar: number, seen: number, unit: string): Bar {
  return { seen, unit, bar, met: seen <= bar }
}

/** Met by less than this. */
export function below(bar: number, seen: number, unit: string): Bar {
  return { seen, unit, bar, met: seen < bar }
}

/** Met by this much or more. */
export function atLeast(bar: number, seen: number, unit: string): Bar {
  return { seen, unit, bar, met: seen >= bar }
}
