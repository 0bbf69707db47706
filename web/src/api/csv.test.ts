import { describe, expect, it } from 'vitest'
import { csvText } from './csv'

describe('rows as CSV', () => {
  it('ends each line as RFC 4180 does, and leaves out what is unknown', () =>
    expect(csvText([['day', 'closing'], [0, '-12'], [1, null]])).toBe('day,closing\r\n0,-12\r\n1,\r\n'))

  it('quotes commas, quotes and line ends', () => expect(csvText([['a,b', 'say "no"', 'two\nlines']])).toBe('"a,b","say ""no""","two\nlines"\r\n'))

  it.each(['=1+1', '+SUM(A1)', '@x', '-cmd', '＝1', "'1"])('makes %s no formula', (text) => expect(csvText([[text]])).toBe(`'${text}\r\n`))
})
