/** Where a request comes from: believed only as far as those who say so are trusted. */
import { expect, test } from 'vitest'
import { clientAddress, proxyList } from '../../src/http/client-address.ts'

const trusted = proxyList(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'])

test.each([
  ['203.0.113.7', undefined, '203.0.113.7'],
  // Nobody trusted says so.
  ['203.0.113.7', '198.51.100.9', '203.0.113.7'],
  ['10.0.0.1', '198.51.100.9', '198.51.100.9'],
  ['::ffff:10.0.0.1', '198.51.100.9', '198.51.100.9'],
  ['2001:db8::5', '2001:DB9::1', '2001:db9::1'],
  // What a client wrote in front is passed over.
  ['10.0.0.1', '1.1.1.1, 198.51.100.9', '198.51.100.9'],
  ['10.0.0.1', '1.1.1.1, 198.51.100.9, 192.0.2.1', '198.51.100.9'],
  ['10.0.0.1', ['1.1.1.1', '198.51.100.9, 10.1.1.1'], '198.51.100.9'],
  ['10.0.0.1', '::ffff:198.51.100.9', '198.51.100.9'],
  // The same address, in any spelling of it.
  ['10.0.0.1', '::FFFF:C633:6409', '198.51.100.9'],
  ['10.0.0.1', '0:0:0:0:0:ffff:c633:6409', '198.51.100.9'],
  ['0:0:0:0:0:ffff:a00:1', '198.51.100.9', '198.51.100.9'],
  ['10.0.0.1', '2001:db9:ffff:1::9', '2001:db9:ffff:1::9'],
  ['10.0.0.1', 'fe80::1%eth0', 'fe80::1'],
  // Nonsense: the proxy is all that is known.
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.1', '198.51.100.9:443', '10.0.0.1'],
  ['10.0.0.1', '1.2.3.4/24', '10.0.0.1'],
  ['10.0.0.1', '198.51.100.9, unknown', '10.0.0.1'],
  ['10.0.0.1', '', '10.0.0.1'],
  ['10.0.0.1', ',,,', '10.0.0.1'],
  ['10.0.0.1', '10.0.0.2', '10.0.0.2'],
  ['10.0.0.1', Array(2_000).fill('10.0.0.1').join(','), '10.0.0.1'],
  // A Unix socket.
  [undefined, '198.51.100.9', undefined],
  ['', undefined, undefined],
] as const)('%s, forwarded for %s: %s', (connection, forwarded, expected) => {
  expect(clientAddress(connection, forwarded, trusted)).toBe(expected)
})

test('without trusted proxies the header counts for nothing', () => {
  expect(clientAddress('127.0.0.1', '198.51.100.9', proxyList([]))).toBe('127.0.0.1')
})
