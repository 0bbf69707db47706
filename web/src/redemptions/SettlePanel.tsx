import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { overviewQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { Empty } from '../ui/layout'
import { Actions } from '../wallet/Actions'

type Redemption = Schemas['RedemptionDetailView']

/** Settle a due request now, or read when that becomes possible. The system settles what is due by itself. */
export function SettlePanel({ redemption }: { redemption: Redemption }) {
  const { t } = useI18n()
  const overview = useQuery(overviewQuery)
  const obstacle = obstacleTo(redemption, overview.data?.lastUpdated)
  if (obstacle !== null) return <Empty>{t(obstacle)}</Empty>
  return <Actions resource={`/redemptions/${redemption.requestId}`} actions={['settle_redemption']} />
}

function obstacleTo(redemption: Redemption, chainNow: string | undefined): Key | null {
  const { closedAt, settlementAt, settlementIntent } = redemption
  if (closedAt !== null) return 'redemption.closed'
  if (settlementAt === null) return 'redemption.noDate'
  if (chainNow === undefined || Date.parse(settlementAt) > Date.parse(chainNow)) return 'redemption.notDue'
  if (settlementIntent !== null && settlementIntent.closedAt === null) return 'redemption.settling'
  return null
}
