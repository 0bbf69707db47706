import { useQuery } from '@tanstack/react-query'
import { investorsQuery } from '../api/queries'
import { grouped, percent } from '../format/amounts'
import { useI18n } from '../i18n'
import { Empty, Facts, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Time } from '../ui/values'

/** How much of the fund its largest holders have, and how few of them could take more than can be cash in a week. */
export function Investors() {
  const { t } = useI18n()
  const investors = useQuery(investorsQuery)
  const part = (ratio: string | null) => (ratio === null ? '–' : percent(ratio))
  return (
    <Panel title={t('investors.title')}>
      <Loaded query={investors}>
        {({ holders, top1, top5, top10, hhi, leavers, asOf }) =>
          holders === 0 ? (
            <Empty>{t('investors.none')}</Empty>
          ) : (
            <>
              <Facts
                of={[
                  [t('investors.holders'), holders],
                  [t('investors.top', { count: 1 }), part(top1)],
                  [t('investors.top', { count: 5 }), part(top5)],
                  [t('investors.top', { count: 10 }), part(top10)],
                  [t('investors.hhi'), hhi === null ? '–' : grouped(hhi, 4)],
                  [t('investors.leavers'), leavers ?? t('investors.noLeavers')],
                ]}
              />
              <p className={ui.note}>
                {t('investors.note')} {t('ui.asOfBlock', { number: asOf.number })} · <Time at={asOf.timestamp} />
              </p>
            </>
          )
        }
      </Loaded>
    </Panel>
  )
}
