import { useQuery } from '@tanstack/react-query'
import { layersQuery } from '../api/queries'
import { bpsPercent, percent, ratioToPlotNumber } from '../format/amounts'
import { useI18n } from '../i18n'
import css from '../ui/chart.module.css'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { TIERS, type Shares } from './targets'

export interface SharesColumn {
  name: string
  shares: Shares
}

/**
 * The tiers' shares of the fund as bars, from what is to what will be, against the target and the band that the contract allows.
 * `columns` are one or more states of the fund, the last of them drawn strongest.
 */
export function TierShares({ label, columns, target, file }: { label: string; columns: readonly SharesColumn[]; target: Shares; file: string }) {
  const { t } = useI18n()
  const layers = useQuery(layersQuery)
  const bandOf = (tier: string) => layers.data?.layers.find((layer) => layer.tier === tier)
  const bandText = (tier: string) => {
    const band = bandOf(tier)
    return band === undefined ? '–' : `${percent(band.minimum, 0)} – ${percent(band.maximum, 0)}`
  }
  const rows = () => [
    [t('assets.tier'), ...columns.map(({ name }) => name), t('assets.target')],
    ...TIERS.map((tier) => [tier, ...columns.map(({ shares }) => shares[tier]), target[tier]]),
  ]
  return (
    <>
      {TIERS.map((tier) => {
        const band = bandOf(tier)
        const height = 10 / columns.length
        const text = columns.map(({ name, shares }) => `${name} ${bpsPercent(shares[tier])}`).join(', ')
        return (
          <div key={tier} className={css.band}>
            <strong>{tier}</strong>
            <svg
              className={css.track}
              viewBox="0 0 100 10"
              preserveAspectRatio="none"
              role="img"
              aria-label={t('rebalance.tierText', { tier, shares: text, target: bpsPercent(target[tier]), band: bandText(tier) })}
            >
              <rect width={100} height={10} className={css.trackBack} />
              {band === undefined ? null : (
                <rect x={at(band.minimum)} width={at(band.maximum) - at(band.minimum)} height={10} className={css.allowed} />
              )}
              {columns.map(({ name, shares }, index) => (
                <rect
                  key={name}
                  y={index * height + 1}
                  width={shares[tier] / 100}
                  height={height - 2}
                  className={index === columns.length - 1 ? css.value : css.valueBefore}
                />
              ))}
              <line x1={target[tier] / 100} x2={target[tier] / 100} y1={0} y2={10} className={css.target} vectorEffect="non-scaling-stroke" />
            </svg>
            <span>{columns.map(({ shares }) => bpsPercent(shares[tier])).join(' → ')}</span>
          </div>
        )
      })}
      <p className={ui.note}>{t('rebalance.legend', { bars: columns.map(({ name }) => name).join(', ') })}</p>
      <details>
        <summary>{t('ui.asTable')}</summary>
        <div className={ui.actions}>
          <RowsCsvButton name={file} rows={rows} />
        </div>
        <DataTable
          label={label}
          rows={TIERS}
          rowKey={(tier) => tier}
          empty={t('assets.none')}
          columns={[
            { name: 'tier', head: t('assets.tier'), cell: (tier) => tier },
            ...columns.map(({ name, shares }) => ({ name, head: name, right: true, cell: (tier: (typeof TIERS)[number]) => bpsPercent(shares[tier]) })),
            { name: 'target', head: t('assets.target'), right: true, cell: (tier) => bpsPercent(target[tier]) },
            { name: 'band', head: t('liquidity.band'), right: true, cell: (tier) => bandText(tier) },
          ]}
        />
      </details>
    </>
  )
}

function at(ratio: string): number {
  return ratioToPlotNumber(ratio) * 100
}
