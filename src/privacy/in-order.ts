/** Passes values on in the order in which they came, where some have to be waited for. */

export interface InOrderOptions<Value> {
  /** Whether a value may be passed as it is. */
  ready(value: Value): boolean
  make(value: Value): Promise<Value>
  pass(value: Value): void
  /** A value could not be made: it is left out. */
  failed(error: unknown): void
}

/** Nothing waits, and nothing is allocated, while all are ready. */
export function createInOrder<Value>({ ready, make, pass, failed }: InOrderOptions<Value>): (value: Value) => void {
  let waiting = 0
  let last: Promise<void> = Promise.resolve()
  return value => {
    if (waiting === 0 && ready(value)) return pass(value)
    waiting++
    // Begun at once; only its turn is waited for, and until then nobody hears of a failure.
    const made = ready(value) ? Promise.resolve(value) : make(value)
    made.catch(() => {})
    last = last
      .then(() => made)
      .then(pass, failed)
      .finally(() => {
        waiting--
      })
  }
}
