/** A key ring of the tests. */
export const TEST_KEYS = [{ id: 'test', key: Buffer.alloc(32, 'a key of the tests') }]
