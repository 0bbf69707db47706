import { useQuery } from '@tanstack/react-query'
import { layersQuery } from '../api/queries'
import { percent } from '../format/amounts'
import { useI18n } from '../i18n'
import { TierBands } from '../overview/TierBands'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Facts, Loaded, Panel } from '../ui/layout'
import { Amount, Status } from '../ui/values'

/** Each tier against its target and the band that the contract allows. */
export function Tiers() {
  const { t } = useI18n()
  const layers = useQuery(layersQuery)
  return (
    <Panel title={t('overview.tiers')} aside={<CsvButton path="/api/v1/fund/liquidity/layers" />}>
      <Loaded query={layers}>
        {(liquidity) => (
          <>
            <TierBands tiers={liquidity.layers} />
            <Facts
              of={[
                [t('overview.available'), <Amount key="a" raw={liquidity.availableLiquidity} unit="USDT" />],
                [t('overview.cash'), <Amount key="c" raw={liquidity.cash} unit="USDT" />],
                [t('overview.liability'), <Amount key="l" raw={liquidity.redemptionLiability} unit="USDT" />],
                [t('overview.bufferRatio'), liquidity.buffer ? percent(liquidity.buffer.ratio) : '–'],
              ]}
            />
            <details>
              <summary>{t('ui.asTable')}</summary>
              <DataTable
                label={t('overview.tiers')}
                rows={liquidity.layers}
                rowKey={({ tier }) => tier}
                empty={t('assets.none')}
                columns={[
                  { name: 'tier', head: t('assets.tier'), cell: ({ tier }) => tier },
                  { name: 'value', head: t('assets.value'), right: true, cell: ({ value }) => <Amount raw={value} /> },
                  { name: 'ratio', head: t('assets.ratio'), right: true, cell: ({ ratio }) => percent(ratio) },
                  { name: 'target', head: t('assets.target'), right: true, cell: ({ target }) => percent(target) },
                  { name: 'band', head: t('liquidity.band'), right: true, cell: ({ minimum, maximum }) => `${percent(minimum, 0)} – ${percent(maximum, 0)}` },
                  { name: 'status', head: t('column.status'), cell: ({ withinLimits }) => <Status of={withinLimits ? 'WITHIN_BAND' : 'OUTSIDE_BAND'} /> },
                ]}
              />
            </details>
          </>
        )}
      </Loaded>
    </Panel>
  )
}
