import type { Schemas } from '../api/client'
import { percent, ratioToPlotNumber } from '../format/amounts'
import { useI18n } from '../i18n'
import css from '../ui/chart.module.css'
import ui from '../ui/ui.module.css'

/** Each tier's share of gross assets, against its target and the band the contract allows. */
export function TierBands({ tiers }: { tiers: readonly Schemas['LayerStateView'][] }) {
  const { t } = useI18n()
  return (
    <div>
      {tiers.map((tier) => (
        <div key={tier.tier} className={css.band}>
          <strong>{tier.tier}</strong>
          <svg
            className={css.track}
            viewBox="0 0 100 10"
            preserveAspectRatio="none"
            role="img"
            aria-label={t('overview.tierText', {
              tier: tier.tier,
              ratio: percent(tier.ratio),
              target: percent(tier.target, 0),
              minimum: percent(tier.minimum, 0),
              maximum: percent(tier.maximum, 0),
            })}
          >
            <rect width={100} height={10} className={css.trackBack} />
            <rect x={at(tier.minimum)} width={at(tier.maximum) - at(tier.minimum)} height={10} className={css.allowed} />
            <rect y={3} width={at(tier.ratio)} height={4} className={tier.withinLimits ? css.value : css.valueOut} />
            <line x1={at(tier.target)} x2={at(tier.target)} y1={0} y2={10} className={css.target} vectorEffect="non-scaling-stroke" />
          </svg>
          <span>{percent(tier.ratio)}</span>
        </div>
      ))}
      <p className={ui.note}>{t('overview.tierLegend')}</p>
    </div>
  )
}

function at(ratio: string): number {
  return ratioToPlotNumber(ratio) * 100
}
