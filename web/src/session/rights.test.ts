import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { may, REQUIRED_ROLE } from './rights'

/** Made from the API's own table. */
const SOURCE = new URL('../../../docs/reference/permissions.md', import.meta.url)
const ROLES = ['super_admin', 'admin', 'operator', 'viewer']
const NAMES: Record<string, keyof typeof REQUIRED_ROLE> = {
  settle: 'settle',
  handle_risk: 'handleRisk',
  replay_messages: 'replayMessages',
  decide_approval: 'decideApproval',
  handle_transactions: 'handleTransactions',
  sign_proposals: 'signForSafe',
  handle_quarantine: 'handleQuarantine',
}

/** The lowest role that has each permission. */
function rolesOfTheApi(): Map<string, string | undefined> {
  const rows = [...readFileSync(SOURCE, 'utf8').matchAll(/^\| `(\w+)` \| [^|]+ ((?:\| ✓? *){4})/gm)]
  return new Map(
    rows.map(([, permission = '', cells = '']) => [permission, ROLES[cells.split('|').slice(1).filter((cell) => cell.trim()).length - 1]]),
  )
}

describe('rights', () => {
  it('are those of the API', () => {
    const ofTheApi = rolesOfTheApi()
    for (const [theirs, ours] of Object.entries(NAMES)) expect(ofTheApi.get(theirs), theirs).toBe(REQUIRED_ROLE[ours])
  })

  it('grow with the role', () => {
    expect(may('viewer', 'settle')).toBe(false)
    expect(may('operator', 'settle')).toBe(true)
    expect(may('operator', 'decideApproval')).toBe(false)
    expect(may('super_admin', 'decideApproval')).toBe(true)
  })
})
