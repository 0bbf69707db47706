/** Every text of the console in English, by screen. Its keys are those that each other language must have. */
import { administration } from './administration'
import { approvals } from './approvals'
import { assets } from './assets'
import { emergency } from './emergency'
import { liquidity } from './liquidity'
import { nav } from './nav'
import { notifications } from './notifications'
import { overview } from './overview'
import { policy } from './policy'
import { rebalancing } from './rebalancing'
import { redemptions } from './redemptions'
import { reports } from './reports'
import { risk } from './risk'
import { session } from './session'
import { shell } from './shell'
import { status } from './status'
import { system } from './system'
import { transactions } from './transactions'

export const en = {
  ...administration,
  ...approvals,
  ...assets,
  ...emergency,
  ...liquidity,
  ...nav,
  ...notifications,
  ...overview,
  ...policy,
  ...rebalancing,
  ...redemptions,
  ...reports,
  ...risk,
  ...session,
  ...shell,
  ...status,
  ...system,
  ...transactions,
} as const
