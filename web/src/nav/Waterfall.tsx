import type { Schemas } from '../api/client'
import { formatRaw, parseRaw, thousandths } from '../format/amounts'
import { useI18n } from '../i18n'
import css from '../ui/chart.module.css'
import { groupName } from './Explanation'
import { waterfall } from './steps'

/** From net assets before to net assets after, one bar for each cause; a bar leads to its row. The scale begins at the lowest level. */
export function Waterfall({ attribution }: { attribution: Schemas['NavAttributionView'] }) {
  const { t } = useI18n()
  const causes = attribution.lines.map(({ group, amount }) => ({ group, amount: parseRaw(amount) })).filter(({ amount }) => amount !== 0n)
  const { steps, low, high } = waterfall(parseRaw(attribution.from.totalAssets), parseRaw(attribution.to.totalAssets), causes)
  if (steps.length === 0) return null
  const place = (level: bigint) => thousandths(level - low, high - low)
  return (
    <div className={css.waterfall}>
      {steps.map(({ group, start, end }) => {
        const [left, right] = start < end ? [place(start), place(end)] : [place(end), place(start)]
        const change = formatRaw(end - start, 18)
        return (
          <a key={group} className={css.step} href={`#cause-${group}`} onClick={() => openCause(group)}>
            <span>{groupName(group, t)}</span>
            <svg className={css.track} viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
              <rect width={1000} height={10} className={css.trackBack} />
              <rect x={left} width={Math.max(right - left, 4)} height={10} className={end > start ? css.rise : css.fall} />
            </svg>
            <span>{end > start ? `+${change}` : change}</span>
          </a>
        )
      })}
    </div>
  )
}

function openCause(group: string): void {
  document.getElementById(`cause-${group}`)?.setAttribute('open', '')
}
