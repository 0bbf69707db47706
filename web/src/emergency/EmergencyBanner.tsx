import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { emergenciesQuery } from '../api/queries'
import { useI18n } from '../i18n'
import css from '../shell/shell.module.css'
import { Status } from '../ui/values'

/** On every screen while an emergency or a drill is open: its state, and the way to what waits for whom. */
export function EmergencyBanner() {
  const { t } = useI18n()
  const open = useQuery(emergenciesQuery).data?.items.find(({ endedAt }) => endedAt === null)
  if (open === undefined) return null
  return (
    <Alert color={open.isDrill ? 'yellow' : 'red'} className={css.banner} title={t(open.isDrill ? 'emergency.openDrill' : 'emergency.openEmergency')} role="status">
      <Status of={open.state} />{' '}
      <Link to="/risk/emergencies/$emergencyId" params={{ emergencyId: `${open.id}` }}>
        {t('emergency.toPage')}
      </Link>
    </Alert>
  )
}
