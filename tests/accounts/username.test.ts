/** User names: which may be taken, and which look the same. */
import { describe, expect, test } from 'vitest'
import { skeletonsOf } from '../../src/accounts/lookalikes.ts'
import { isPlainLine, parseUsername } from '../../src/accounts/username.ts'
import { normalName } from '../../src/machines/user/index.ts'

describe('a user name', () => {
  test.each([
    ['ada', 'ada'],
    ['Ada.L-9_x', 'Ada.L-9_x'],
    ['Zoe\u0308', 'Zo\u00eb'],
    ['ﬁnn', 'finn'],
    ['ａｄａ１', 'ada1'],
    ['\u212Aarl', 'Karl'],
    ['ольга', 'ольга'],
    ['Ελένη', 'Ελένη'],
    ['日本テスト', '日本テスト'],
    ['李明2', '李明2'],
    ['김민수abc', '김민수abc'],
    ['محمد', 'محمد'],
    ['दीपक', 'दीपक'],
    ['x'.repeat(64), 'x'.repeat(64)],
  ])('is kept in compatibility form: %j', (given, kept) => {
    expect(parseUsername(given)).toEqual({ name: kept })
  })

  test.each([
    ['nothing', ''],
    ['too long', 'x'.repeat(65)],
    ['long only when it is normalised', '\ufdfa'.repeat(40)],
    ['a megabyte', 'x'.repeat(1_000_000)],
    ['a header of its own', 'ada\r\nSet-Cookie: a=b'],
    ['NUL', 'ada\0'],
    ['a lone surrogate', 'ada\ud800'],
    ['a space', 'a da'],
    ['a space at the end', 'ada '],
    ['an ideographic space', 'ada\u3000x'],
    ['an address', 'ada@example.org'],
    ['a path', '../ada'],
    ['points in a row', 'a..b'],
    ['a point at the end', 'ada.'],
    ['a zero-width joiner', 'a\u200dda'],
    ['a direction override', 'a\u202eda'],
    ['a soft hyphen', 'a\u00adda'],
    ['a mark without a letter', '\u0301ada'],
    ['piled marks', 'a\u0301\u0301\u0301\u0301\u0301'],
    ['an emoji', 'ada🦊'],
    ['SQL', "ada'; drop table users; --"],
    ['HTML', '<b>ada</b>'],
    ['a format', '%s%n{0}'],
    ['Cyrillic among Latin', 'p\u0430ypal'],
    ['Greek among Latin', 'p\u03b1ypal'],
    ['Arabic digits among Latin letters', 'ada\u0661'],
  ])('is refused: %s', (_what, given) => {
    expect(parseUsername(given)).toMatchObject({ fault: expect.any(String) })
  })

  test('is compared in a form in which no spelling of it is another name', () => {
    expect(normalName('\u212Aarl')).toBe(normalName('karl'))
    expect(normalName('Zoe\u0308')).toBe(normalName('ZO\u00cb'))
    // Lower case of the dotted capital grows by a mark, and stays as it is from then on.
    expect(normalName('\u0130da')).toBe(normalName(normalName('\u0130da')))
  })
})

describe('names that look the same', () => {
  test.each([
    ['paypal', '\u0440\u0430\u0443\u0440\u0430\u04c0'],
    ['paypal', 'PayPa1'],
    ['paypal', 'PayPaI'],
    ['ingrid', 'lngrid'.replace('l', 'I')],
    ['root', 'r00t'],
    ['modern', 'modem'.replace('m', 'rn').replace('m', 'rn')],
    ['scope', '\u0455\u0441\u043e\u0440\u0435'],
    ['zoë', 'ZOE\u0308'],
  ])('have a skeleton in common: %j and %j', (left, right) => {
    expect(skeletonsOf(left).some(skeleton => skeletonsOf(right).includes(skeleton))).toBe(true)
  })

  test.each([
    ['ada', 'adb'],
    ['zoe', 'zoë'],
    ['李明', '李朋'],
    ['김', '갬'],
  ])('and others do not: %j and %j', (left, right) => {
    expect(skeletonsOf(left).some(skeleton => skeletonsOf(right).includes(skeleton))).toBe(false)
  })
})

test('a line that people are shown has neither breaks nor turns', () => {
  for (const line of ['Ada Lovelace', 'محمد 🦊', "O'Neill, Zoë"]) expect(isPlainLine(line), line).toBe(true)
  for (const line of ['a\r\nb', 'a\u2028b', 'a\0b', 'a\u202eb', 'a\u2066b', '\ud800', '\u001b[31m'])
    expect(isPlainLine(line), JSON.stringify(line)).toBe(false)
})
