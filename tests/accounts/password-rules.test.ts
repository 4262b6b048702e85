/** Which passwords may be chosen. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { commonKey, isCommonPassword } from '../../src/accounts/common-passwords.ts'
import { passwordFault } from '../../src/accounts/password-rules.ts'

const context = ['RootStream', 'ada', 'ada.lovelace@example.org', 'Ada Lovelace']
const ruleOf = (password: string, minLength = 15) => passwordFault(password, { minLength, context })?.rule

describe('a password', () => {
  test.each([
    'correct horse battery staple',
    'alllowercasewithoutanysign',
    '7291048365091827465',
    'мой дядя самых честных правил',
    '雪が降る夜に犬と歩く山道のとても静かな音',
    'a space, a tab would not do',
    '🦊 jumps over 🐢 and 🐇 twice',
    'Zo\u0308e wohnt nicht mehr hier',
  ])('may be of whatever characters: %s', password => {
    expect(ruleOf(password)).toBeUndefined()
  })

  test('is counted by code points, in the form in which it is hashed', () => {
    expect(ruleOf('🦊 xk ☂ vq 🐢 zj ✈ w')).toBeUndefined()
    expect(ruleOf('🦊xk☂vq🐢zj✈wpb')).toBe('too_short')
    // Fourteen letters, one of them of two code points until it is composed.
    expect(ruleOf('kxvqzjwpbmfgho\u0308')).toBe('too_short')
    expect(ruleOf('kxvqzjwpbmfghoa')).toBeUndefined()
  })

  test.each([
    ['too_short', 'short one'],
    ['too_long', 'pqo xvm '.repeat(33)],
    ['not_text', 'lone surrogate \ud800 here'],
    ['not_text', 'line break \n in the middle'],
    ['not_text', 'a NUL \0 in the middle of it'],
    ['common', 'passwordpassword'],
    ['common', '!!!!!!!!!!!!iloveyou'],
    ['common', 'Football-1234567'],
    ['repeated', 'kxvqzkxvqzkxvqz'],
    ['repeated', 'kxvqz jw kxvqz jw kx'],
    ['repeated', 'aaaaaaaaaaaaaaaaaaaa'],
    ['repeated', 'abababcbabcbacbacab'],
    ['sequence', 'abcdefghijklmnopqrstuvwxyz'],
    ['sequence', 'qwertyuiopasdfghjkl'],
    ['sequence', '2345678909876543'],
    ['sequence', 'poiuytrewqlkjhgfdsa'],
    ['personal', 'RootStream-rootstream'],
    ['personal', 'AdaLovelace2024!'],
    ['personal', 'ada.lovelace@example.org'],
    ['personal', 'Ａｄａ Ｌｏｖｅｌａｃｅ １９'],
  ])('is refused as %s: %j', (rule, password) => {
    expect(ruleOf(password)).toBe(rule)
  })

  test('is told which rule refuses it, and is not repeated', () => {
    const fault = passwordFault('kxvqzkxvqzkxvqz', { minLength: 15, context })
    expect(fault?.detail).toBe(
      'The password is one piece, repeated. It was not changed. Choose another one, such as several words.',
    )
  })

  test('of any form is looked at in time that grows with its length alone', () => {
    // Inputs on which patterns with several ways to match would not come back.
    for (const password of ['!'.repeat(256), `${'ab'.repeat(127)}!`, `${'aab'.repeat(85)}`, '1a'.repeat(128)])
      expect(ruleOf(password)).toBeDefined()
  })
})

describe('common passwords', () => {
  test('are known by the ten thousands, whatever their letter case', () => {
    const { size } = statSync(path.resolve(import.meta.dirname, '../../src/accounts/data/common-passwords.bin'))
    expect(size / 8).toBeGreaterThan(10_000)
    for (const common of ['password', 'PassWord', '12345678', 'iloveyou', 'qwertyuiop', 'ｐａｓｓｗｏｒｄ'])
      expect(isCommonPassword(common), common).toBe(true)
    for (const rare of ['', 'kxvqzjwp', 'correct horse battery staple'])
      expect(isCommonPassword(rare), rare).toBe(false)
  })

  test('are sorted, as the search has it', () => {
    expect(commonKey('Password')).toBe(commonKey('password'))
    expect(commonKey('password')).not.toBe(commonKey('passwore'))
  })
})
