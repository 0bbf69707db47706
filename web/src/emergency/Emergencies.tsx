import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { emergenciesQuery } from '../api/queries'
import { useI18n, type Translate } from '../i18n'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'

export function emergencyName({ id, isDrill }: Pick<Schemas['EmergencyView'], 'id' | 'isDrill'>, t: Translate): string {
  return t(isDrill ? 'emergency.drill' : 'emergency.emergency', { id })
}

/** The emergencies and drills that there were, the latest first, and the start of a drill. */
export function Emergencies() {
  const { t } = useI18n()
  const emergencies = useQuery(emergenciesQuery)
  return (
    <Panel title={t('emergency.title')} aside={emergencies.data ? <RowsCsvButton name="paimon-emergencies.csv" rows={() => csvRows(emergencies.data.items)} /> : null}>
      <p className={ui.note}>{t('emergency.intro')}</p>
      <Loaded query={emergencies}>
        {({ items }) => (
          <>
            <DataTable
              label={t('emergency.title')}
              rows={items}
              rowKey={({ id }) => `${id}`}
              empty={t('emergency.none')}
              columns={[
                {
                  name: 'what',
                  head: t('emergency.what'),
                  cell: (emergency) => (
                    <Link to="/risk/emergencies/$emergencyId" params={{ emergencyId: `${emergency.id}` }}>
                      {emergencyName(emergency, t)}
                    </Link>
                  ),
                },
                { name: 'state', head: t('emergency.state'), cell: ({ state }) => <Status of={state} /> },
                { name: 'started', head: t('emergency.started'), cell: ({ startedAt }) => <Time at={startedAt} /> },
                { name: 'by', head: t('emergency.startedBy'), cell: ({ startedBy }) => (startedBy === null ? t('emergency.byLevel') : <Address of={startedBy} />) },
                { name: 'ended', head: t('emergency.ended'), cell: ({ endedAt }) => (endedAt === null ? '–' : <Time at={endedAt} />) },
                { name: 'reason', head: t('emergency.endReason'), wide: true, cell: ({ endReason }) => endReason ?? '–' },
              ]}
            />
            {items.some(({ endedAt }) => endedAt === null) ? <Empty>{t('emergency.oneAtATime')}</Empty> : <StartDrill />}
          </>
        )}
      </Loaded>
    </Panel>
  )
}

const CSV_COLUMNS = ['id', 'isDrill', 'state', 'startedAt', 'startedBy', 'endedAt', 'endReason'] as const

function csvRows(items: readonly Schemas['EmergencyView'][]) {
  return [CSV_COLUMNS, ...items.map((emergency) => CSV_COLUMNS.map((column) => emergency[column]))]
}

function StartDrill() {
  const { t } = useI18n()
  return (
    <>
      <Actions resource="/emergencies" actions={['start_drill']} />
      <p className={ui.note}>{t('emergency.drillStarts')}</p>
    </>
  )
}
