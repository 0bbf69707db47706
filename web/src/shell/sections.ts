export const SECTIONS = [
  { name: 'overview', to: '/' },
  { name: 'redemptions', to: '/redemptions' },
  { name: 'approvals', to: '/approvals' },
] as const
