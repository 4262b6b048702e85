/** Values that have to be waited for keep their place. */
import { expect, test } from 'vitest'
import { createInOrder } from '../../src/privacy/in-order.ts'

test('what is ready passes at once, unless something before it is waited for; what fails is left out', async () => {
  const passed: string[] = []
  const failures: unknown[] = []
  const open = new Map<string, { resolve(value: string): void; reject(error: unknown): void }>()
  const say = createInOrder<string>({
    ready: value => !value.startsWith('sealed'),
    make: value => new Promise((resolve, reject) => void open.set(value, { resolve, reject })),
    pass: value => void passed.push(value),
    failed: error => void failures.push(error),
  })
  say('a')
  expect(passed).toEqual(['a'])
  say('sealed 1')
  say('sealed 2')
  say('b')
  say('sealed 3')
  open.get('sealed 3')?.resolve('opened 3')
  open.get('sealed 2')?.reject('away')
  // Whatever is going to happen by then has happened.
  await new Promise<void>(resolve => setImmediate(resolve))
  expect(passed).toEqual(['a'])
  open.get('sealed 1')?.resolve('opened 1')
  await expect.poll(() => passed).toEqual(['a', 'opened 1', 'b', 'opened 3'])
  expect(failures).toEqual(['away'])
  say('c')
  expect(passed.at(-1)).toBe('c')
})
