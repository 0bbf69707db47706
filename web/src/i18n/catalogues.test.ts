import { describe, expect, it } from 'vitest'
import { fill } from '.'
import { en } from './en'
import { zh } from './zh'

const valuesOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

describe('catalogues', () => {
  it('have the same texts', () => expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort()))

  it('put the same values into each text', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(valuesOf(zh[key]), key).toEqual(valuesOf(en[key]))
      expect(zh[key].trim(), key).not.toBe('')
    }
  })

  it('have each text in one file only', () => {
    const files = import.meta.glob<Record<string, Record<string, string>>>('./en/*.ts', { eager: true })
    const parts = Object.entries(files).flatMap(([path, module]) => (path.endsWith('/index.ts') ? [] : Object.values(module)))
    expect(parts.flatMap(Object.keys).sort()).toEqual(Object.keys(en).sort())
  })

  it('leaves a value that is not given', () => expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}'))
})
