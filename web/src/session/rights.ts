/** What a role may do. The API decides; this only keeps the console from offering what the API would refuse. */
import type { Role } from './store'

export type Permission =
  | 'settle'
  | 'handleRisk'
  | 'replayMessages'
  | 'decideApproval'
  | 'handleTransactions'
  | 'signForSafe'
  | 'handleQuarantine'

const RANKS: readonly Role[] = ['viewer', 'operator', 'admin', 'super_admin']

/** Source: docs/reference/permissions.md. */
export const REQUIRED_ROLE: Record<Permission, Role> = {
  settle: 'operator',
  handleRisk: 'operator',
  replayMessages: 'operator',
  decideApproval: 'admin',
  handleTransactions: 'admin',
  signForSafe: 'admin',
  handleQuarantine: 'admin',
}

export function may(role: Role, permission: Permission): boolean {
  return RANKS.indexOf(role) >= RANKS.indexOf(REQUIRED_ROLE[permission])
}
