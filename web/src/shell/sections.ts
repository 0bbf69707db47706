export const SECTIONS = [
  { name: 'overview', to: '/' },
  { name: 'redemptions', to: '/redemptions' },
  { name: 'approvals', to: '/approvals' },
  { name: 'rebalancing', to: '/rebalancing' },
  { name: 'liquidity', to: '/liquidity' },
  { name: 'risk', to: '/risk' },
  { name: 'nav', to: '/nav' },
  { name: 'assets', to: '/assets' },
  { name: 'transactions', to: '/transactions' },
  { name: 'reports', to: '/reports' },
  { name: 'system', to: '/system' },
  { name: 'administration', to: '/administration' },
] as const
