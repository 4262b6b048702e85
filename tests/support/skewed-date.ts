/** Loaded by `--import` into a node's process: its wall clock is off by ROOTSTREAM_CLOCK_SKEW_MS, as that of a machine without NTP. */
const skew = Number(process.env.ROOTSTREAM_CLOCK_SKEW_MS)
if (!Number.isSafeInteger(skew)) throw new Error('ROOTSTREAM_CLOCK_SKEW_MS is no number of milliseconds')

const RealDate = Date
globalThis.Date = class extends RealDate {
  // The many forms of the constructor are the real one's; only the one without arguments asks for the time.
  constructor(...given: [] | [number]) {
    if (given.length === 0) super(RealDate.now() + skew)
    else super(...given)
  }

  static override now(): number {
    return RealDate.now() + skew
  }
} as DateConstructor
