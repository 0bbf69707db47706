import { describe, expect, it } from 'vitest'
import { fill } from '../i18n'
import { en } from '../i18n/en'
import type { Key } from '../i18n'
import { evidenceRows } from './evidence'

const t = (key: Key, values?: Record<string, string | number>) => fill(en[key], values)
const before = {
  block: { number: 812, hash: '0x00' },
  level: 'CRITICAL',
  policyVersion: 3,
  netAssets: '1234500000000000000000',
  cash: '0',
  redemptionLiability: '70000000000000000000',
  tiers: { L2: '2000000000000000000', L1: '1000000000000000000' },
  indicators: { rcr_7d: '0.91', l1_ratio: null, rcr_30d: 'Infinity', newer_one: '7' },
}
const rowsOf = (rows: ReturnType<typeof evidenceRows>) => Object.fromEntries(rows.map(({ name, before: first, after }) => [name, [first, after]]))

describe('evidence', () => {
  it('sets the end beside the beginning, in the words of the reader', () => {
    const end = { ...before, block: { number: 990 }, level: 'NORMAL', cash: '5000000000000000000', indicators: { rcr_7d: '1.4' } }
    expect(rowsOf(evidenceRows(before, end, t))).toMatchObject({
      Block: ['812', '990'],
      'Risk level': ['Critical', 'Normal'],
      'Net assets (USDT)': ['1,234.50', '1,234.50'],
      'Cash (USDT)': ['0.00', '5.00'],
      'Coverage of 7 days': ['0.9100', '1.4000'],
      'L1 share': ['–', '–'],
      newer_one: ['7.0000', '–'],
    })
  })

  it('has no end before there is one', () => {
    const rows = evidenceRows(before, null, t)
    expect(new Set(rows.map(({ after }) => after))).toEqual(new Set(['–']))
    expect(rowsOf(rows)).toMatchObject({ 'Coverage of 30 days': ['∞', '–'] })
    expect(rows.map(({ name }) => name).filter((name) => name.startsWith('L')).slice(0, 2)).toEqual(['L1 (USDT)', 'L2 (USDT)'])
  })

  it('leaves out what a record lacks or has in another form', () =>
    expect(rowsOf(evidenceRows({ level: 'A_NEW_LEVEL', cash: 12, tiers: null }, {}, t))).toMatchObject({
      Block: ['–', '–'],
      'Risk level': ['A_NEW_LEVEL', '–'],
      'Cash (USDT)': ['–', '–'],
    }))
})
