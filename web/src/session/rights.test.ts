import { describe, expect, it } from 'vitest'
import type { Schemas } from '../api/client'
import { rightOf } from './rights'

const right = (permission: Schemas['Permission'], missing: string[]): Schemas['RightView'] => ({
  permission,
  meaning: 'a thing to do',
  isAllowed: missing.length === 0,
  isSigned: true,
  missing,
})

describe('rights', () => {
  const rights = [right('settle', []), right('decide_approval', ['it needs the role admin', 'and VIP_APPROVER_ROLE on chain'])]

  it('are those that the API lists, with its reasons', () => {
    expect(rightOf(rights, 'settle').isAllowed).toBe(true)
    expect(rightOf(rights, 'decide_approval').missing).toHaveLength(2)
  })

  it('are not given before they are known, nor where the API lists none', () => {
    expect(rightOf(undefined, 'settle').isAllowed).toBe(false)
    expect(rightOf(rights, 'handle_quarantine').isAllowed).toBe(false)
  })
})
