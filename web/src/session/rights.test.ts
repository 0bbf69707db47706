import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { may, REQUIRED_ROLE } from './rights'

const SOURCE = new URL('../../../src/paimon/domain/user/roles.py', import.meta.url)
const NAMES: Record<string, keyof typeof REQUIRED_ROLE> = {
  SETTLE: 'settle',
  HANDLE_RISK: 'handleRisk',
  REPLAY_MESSAGES: 'replayMessages',
  DECIDE_APPROVAL: 'decideApproval',
  HANDLE_TRANSACTIONS: 'handleTransactions',
  HANDLE_QUARANTINE: 'handleQuarantine',
}

describe('rights', () => {
  it('are those of the API', () => {
    const rules = [...readFileSync(SOURCE, 'utf8').matchAll(/Permission\.(\w+): UserRole\.(\w+),/g)]
    const ofTheApi = new Map(rules.map(([, permission = '', role = '']) => [permission, role.toLowerCase()]))
    for (const [theirs, ours] of Object.entries(NAMES)) expect(ofTheApi.get(theirs), theirs).toBe(REQUIRED_ROLE[ours])
  })

  it('grow with the role', () => {
    expect(may('viewer', 'settle')).toBe(false)
    expect(may('operator', 'settle')).toBe(true)
    expect(may('operator', 'decideApproval')).toBe(false)
    expect(may('super_admin', 'decideApproval')).toBe(true)
  })
})
