import { Alert, Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import type { ErrorComponentProps } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useI18n } from '../i18n'
import { Page } from '../ui/layout'

/** In place of a page whose script failed, as on an answer that it does not know. The rest of the console stays. */
export function PageFailed({ error }: ErrorComponentProps) {
  const { t } = useI18n()
  const client = useQueryClient()
  // What it failed on is not shown again from memory.
  useEffect(() => client.removeQueries({ type: 'inactive' }), [client])
  return (
    <Page title={t('problem.page')}>
      <Alert color="red" role="alert">
        <p>{t('problem.pageText')}</p>
        <p>{String(error)}</p>
        <Button size="xs" variant="default" onClick={() => window.location.reload()}>
          {t('ui.reload')}
        </Button>
      </Alert>
    </Page>
  )
}
