/** What the signed-in person may do, as the API says it: by role, grants and roles on chain. The API checks each right again. */
import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { ownRightsQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Empty } from '../ui/layout'

export type Permission = Schemas['Permission']

export interface Right {
  isAllowed: boolean
  /** Why not, in the API's words. */
  missing: readonly string[]
}

const UNKNOWN: Right = { isAllowed: false, missing: [] }

/** Return a person's right from the table of all; a right that the table lacks is not given. */
export function rightOf(rights: readonly Schemas['RightView'][] | undefined, permission: Permission): Right {
  return rights?.find((right) => right.permission === permission) ?? UNKNOWN
}

export function useRight(permission: Permission): Right {
  return rightOf(useQuery(ownRightsQuery).data?.rights, permission)
}

/** Say why something is not offered. */
export function WhyNot({ right }: { right: Right }) {
  const { t } = useI18n()
  if (right.isAllowed) return null
  return <Empty>{right.missing.length === 0 ? t('ui.loading') : t('right.missing', { reason: right.missing.join('; ') })}</Empty>
}
