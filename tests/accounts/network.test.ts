/** What is one network, however its addresses are written. */
import { expect, test } from 'vitest'
import { networkOf, siteOf } from '../../src/accounts/network.ts'

test('budgets count an address of IPv4 by itself, those of IPv6 by the /64', () => {
  expect(networkOf('192.0.2.7')).toBe('192.0.2.7')
  expect(networkOf('2001:db8:0:1:2:3:4:5')).toBe('2001:db8:0:1')
  expect(networkOf('2001:db8::1:0:0:0:1')).toBe('2001:db8:0:1')
  expect(networkOf('2001:0DB8::5')).toBe('2001:db8:0:0')
  expect(networkOf('::1')).toBe('0:0:0:0')
  expect(networkOf('no address')).toBe('no address')
})

test('an address of IPv4 is the same in every spelling, and shares nothing with the others', () => {
  const spellings = [
    '192.0.2.7',
    '::ffff:192.0.2.7',
    '::FFFF:c000:207',
    '0:0:0:0:0:ffff:192.0.2.7',
    '0::ffff:c000:0207',
  ]
  for (const address of spellings) {
    expect(networkOf(address)).toBe('192.0.2.7')
    expect(siteOf(address)).toBe('192.0.2')
  }
  expect(networkOf('::ffff:192.0.2.8')).toBe('192.0.2.8')
  expect(networkOf('::ffff:1')).toBe('0:0:0:0')
  expect(networkOf('2001:db8:ffff:1::9')).toBe('2001:db8:ffff:1')
  expect(networkOf('fe80::ffff:1%eth0')).toBe('fe80:0:0:0')
})

test('a site is the /24 or the /48', () => {
  expect(siteOf('203.0.113.7')).toBe('203.0.113')
  expect(siteOf('2001:db8:1::1')).toBe(siteOf('2001:0DB8:0001:ffff::2'))
  expect(siteOf('2001:db8:1::1')).not.toBe(siteOf('2001:db8:2::1'))
  expect(siteOf('::1')).toBe(siteOf('0:0:0::2'))
  expect(siteOf('::ffff:1')).toBe(siteOf('::'))
  expect(siteOf('no address')).toBe('no address')
})
