import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { formatSpan, spanOf } from '../format/time'
import { useI18n } from '../i18n'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Facts, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { evidenceRows } from './evidence'

type Emergency = Schemas['EmergencyDetailView']

const TIMINGS = ['toDeclare', 'toAcknowledge', 'toFirstSubmission', 'toFirstSignature', 'toFirstEffect', 'toEnd'] as const

/** How long it took people and the chain, and the fund's figures before and after. */
export function PostMortem({ emergency }: { emergency: Emergency }) {
  const { t } = useI18n()
  const { id, timings, evidence, endEvidence, riskEventId, endedAt } = emergency
  const rows = evidenceRows(evidence, endEvidence, t)
  const missing = t(endedAt === null ? 'emergency.notYet' : 'emergency.never')
  return (
    <Panel title={t('emergency.postMortem')}>
      <h3 className={ui.subtitle}>{t('emergency.sinceStart')}</h3>
      <Facts
        of={TIMINGS.map((name) => {
          const seconds = timings[name]
          return [t(`emergency.timing.${name}`), seconds === null ? missing : formatSpan(spanOf(seconds * 1_000))]
        })}
      />
      {riskEventId === null || timings.toAcknowledge !== null || endedAt !== null ? null : (
        <p>
          <Link to="/risk" search={{ risk: 'OPEN' }}>
            {t('emergency.toAcknowledge')}
          </Link>
        </p>
      )}
      <details>
        <summary>{t('emergency.evidence')}</summary>
        <div className={ui.actions}>
          <RowsCsvButton
            name={`paimon-emergency-${id}-evidence.csv`}
            rows={() => [[t('emergency.figure'), t('emergency.atBeginning'), t('emergency.atEnd')], ...rows.map(({ name, before, after }) => [name, before, after])]}
          />
        </div>
        <DataTable
          label={t('emergency.evidence')}
          rows={rows}
          rowKey={({ name }) => name}
          empty={t('emergency.never')}
          columns={[
            { name: 'figure', head: t('emergency.figure'), cell: ({ name }) => name },
            { name: 'before', head: t('emergency.atBeginning'), right: true, cell: ({ before }) => before },
            { name: 'after', head: t('emergency.atEnd'), right: true, cell: ({ after }) => after },
          ]}
        />
      </details>
    </Panel>
  )
}
