import type { Schemas } from '../api/client'
import { formatRaw, parseRaw, toPlotNumber } from '../format/amounts'
import { useI18n } from '../i18n'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Panel } from '../ui/layout'
import { LinesChart, type Line } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Amount, FUND_DECIMALS, Time } from '../ui/values'

type Day = Schemas['LadderDayView']
type Level = 'realisable' | 'closing' | 'closingIfApproved'

const LEVELS: readonly Level[] = ['realisable', 'closing', 'closingIfApproved']
const COLUMNS = ['day', 'endsAt', 'realisable', 'due', 'dueIfApproved', 'closing', 'closingIfApproved'] as const

/** The liquidity ladder: for each coming day what can be cash, what is due, and what is left. */
export function Ladder({ days }: { days: readonly Day[] }) {
  const { t } = useI18n()
  const lines = LEVELS.map((level): Line => ({
    name: t(`ladder.${level}`),
    points: days.map((day) => ({
      at: day.day,
      y: toPlotNumber(parseRaw(day[level])),
      text: `${t('ladder.day', { day: day.day })}: ${formatRaw(parseRaw(day[level]), FUND_DECIMALS)} USDT`,
    })),
  }))
  const changes = days.filter((day, index) => index === 0 || LEVELS.some((level) => day[level] !== days[index - 1]?.[level]))
  return (
    <Panel
      title={t('ladder.title', { days: days.length })}
      aside={<RowsCsvButton name="paimon-liquidity-ladder.csv" rows={() => [COLUMNS, ...days.map((day) => COLUMNS.map((column) => day[column]))]} />}
    >
      <LinesChart label={t('ladder.title', { days: days.length })} lines={lines} />
      <details>
        <summary>{t('ui.asTable')}</summary>
        <p className={ui.note}>{t('ladder.changesOnly')}</p>
        <DataTable
          label={t('ladder.title', { days: days.length })}
          rows={changes}
          rowKey={({ day }) => `${day}`}
          empty={t('assets.none')}
          columns={[
            { name: 'day', head: t('ladder.dayHead'), right: true, cell: ({ day }) => day },
            { name: 'ends', head: t('ladder.endsAt'), cell: ({ endsAt }) => <Time at={endsAt} /> },
            { name: 'realisable', head: t('ladder.realisable'), right: true, cell: ({ realisable }) => <Amount raw={realisable} /> },
            { name: 'due', head: t('ladder.due'), right: true, cell: ({ due }) => <Amount raw={due} /> },
            { name: 'closing', head: t('ladder.closing'), right: true, cell: ({ closing }) => <Amount raw={closing} /> },
            { name: 'ifApproved', head: t('ladder.closingIfApproved'), right: true, cell: ({ closingIfApproved }) => <Amount raw={closingIfApproved} /> },
          ]}
        />
      </details>
    </Panel>
  )
}
