/** Each target has one operation under way until the time is over; answers how many were completed. */
export async function keepBusy<Target>(
  targets: readonly Target[],
  ms: number,
  operation: (target: Target, n: number) => Promise<unknown>,
): Promise<number> {
  const until = performance.now() + ms
  let done = 0
  await Promise.all(
    targets.map(async target => {
      while (performance.now() < until) {
        await operation(target, done)
        done++
      }
    }),
  )
  return done
}
