import { Link } from '@tanstack/react-router'
import { useI18n } from '../i18n'
import { Page } from '../ui/layout'

export function NotFound() {
  const { t } = useI18n()
  return (
    <Page title={t('shell.notFound')}>
      <p>
        <Link to="/">{t('shell.toOverview')}</Link>
      </p>
    </Page>
  )
}
