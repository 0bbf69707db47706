import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { ApiProblem, type Schemas } from '../api/client'
import { forecastQuery } from '../api/queries'
import { HORIZONS } from '../api/values'
import { formatRaw, parseRaw, ratioToPlotNumber, toPlotNumber } from '../format/amounts'
import { useI18n, type Translate } from '../i18n'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Facts, Loaded, Panel } from '../ui/layout'
import { LinesChart, type Line } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Amount, FUND_DECIMALS, Status, Time } from '../ui/values'

type Report = Schemas['LiquidityForecastView']
type Bound = 'balanceMean' | 'balanceLower' | 'balanceUpper'

const route = getRouteApi('/liquidity')
const BOUNDS: readonly Bound[] = ['balanceMean', 'balanceLower', 'balanceUpper']
const COLUMNS = ['day', 'requestsMean', 'requestsUpper', 'balanceMean', 'balanceLower', 'balanceUpper', 'shortfallProbability'] as const

/** What may be requested in the coming days, and whether the fund could pay it: an estimate, beside the ladder of what is promised. */
export function Forecast() {
  const { t } = useI18n()
  const { horizon = '7d' } = route.useSearch()
  const navigate = route.useNavigate()
  const forecast = useQuery(forecastQuery(horizon))
  const isNotMade = forecast.error instanceof ApiProblem && forecast.error.code === 'NOT_FOUND'
  return (
    <Panel
      title={t('forecast.title')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('forecast.horizon')}
            value={horizon}
            onChange={(event) =>
              void navigate({ search: (previous) => ({ ...previous, horizon: HORIZONS.find((name) => name === event.currentTarget.value) }), resetScroll: false })
            }
            data={HORIZONS.map((name) => ({ value: name, label: t('forecast.days', { days: name.slice(0, -1) }) }))}
          />
          {forecast.data === undefined ? null : <RowsCsvButton name={`paimon-forecast-${horizon}.csv`} rows={() => rowsOf(forecast.data)} />}
        </>
      }
    >
      {isNotMade ? <Empty>{t('forecast.notMade')}</Empty> : <Loaded query={forecast}>{(report) => <Fan report={report} />}</Loaded>}
    </Panel>
  )
}

function rowsOf({ fan }: Report) {
  return [COLUMNS, ...fan.map((day) => COLUMNS.map((column) => day[column]))]
}

function Fan({ report }: { report: Report }) {
  const { t } = useI18n()
  const { fan, risk, forecast, recommendation, asOf } = report
  const lines = BOUNDS.map((bound): Line => ({
    name: t(`forecast.${bound}`),
    points: fan.map((day) => ({
      at: day.day,
      y: toPlotNumber(parseRaw(day[bound])),
      text: `${t('ladder.day', { day: day.day })}: ${formatRaw(parseRaw(day[bound]), FUND_DECIMALS)} USDT`,
    })),
  }))
  return (
    <>
      <p className={ui.actions}>
        <Status of={`FORECAST_${recommendation.action}`} /> {t('forecast.chance', { chance: chanceText(risk.shortfallProbability) })}
      </p>
      <LinesChart label={t('forecast.title')} lines={lines} isFan />
      <Facts
        of={[
          [t('forecast.confirmed'), <Amount key="c" raw={forecast.confirmedOutflow} unit="USDT" />],
          [t('forecast.probable'), <Amount key="p" raw={forecast.probabilisticOutflow} unit="USDT" />],
          [t('forecast.stressed'), <Amount key="s" raw={forecast.stressedOutflow} unit="USDT" />],
          [t('forecast.inflow'), <Amount key="i" raw={forecast.expectedInflow} unit="USDT" />],
          [t('forecast.balance'), <Amount key="b" raw={forecast.projectedBalance} unit="USDT" />],
          recommendation.suggestedAmount === '0' ? null : [t('forecast.toFree'), <Amount key="f" raw={recommendation.suggestedAmount} unit="USDT" />],
          [t('forecast.restsOn'), restsOn(report, t)],
        ]}
      />
      <details>
        <summary>{t('ui.asTable')}</summary>
        <DataTable
          label={t('forecast.title')}
          rows={fan}
          rowKey={({ day }) => `${day}`}
          empty={t('assets.none')}
          columns={[
            { name: 'day', head: t('ladder.dayHead'), right: true, cell: ({ day }) => day },
            { name: 'requests', head: t('forecast.requests'), right: true, cell: ({ requestsMean }) => <Amount raw={requestsMean} /> },
            { name: 'requestsUpper', head: t('forecast.requestsUpper'), right: true, cell: ({ requestsUpper }) => <Amount raw={requestsUpper} /> },
            ...BOUNDS.map((bound) => ({ name: bound, head: t(`forecast.${bound}`), right: true, cell: (day: Schemas['FanDayView']) => <Amount raw={day[bound]} /> })),
            { name: 'chance', head: t('forecast.shortage'), right: true, cell: ({ shortfallProbability }) => chanceText(shortfallProbability) },
          ]}
        />
      </details>
      <p className={ui.note}>
        {t('forecast.note')} {t('ui.asOfBlock', { number: asOf.number })} · <Time at={report.generatedAt} />
        {report.note === null ? '' : ` · ${report.note}`}
      </p>
    </>
  )
}

/** A chance between 0 and 1 in percent with one place, as the API says it. */
function chanceText(chance: number): string {
  return `${(ratioToPlotNumber(`${chance}`) * 100).toFixed(1)} %`
}

function restsOn({ historyDays, calibrated, calibration }: Report, t: Translate): string {
  if (!calibrated) return t('forecast.notCalibrated', { days: historyDays })
  const held = calibration.coverage === null ? '–' : chanceText(calibration.coverage)
  return t('forecast.calibrated', { days: historyDays, count: calibration.forecasts, held })
}
