import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { downloadCsv } from '../api/csv'
import { useI18n } from '../i18n'
import { ProblemNotice } from './layout'

/** Download a list, with its filter, as the API's own CSV. */
export function CsvButton({ path, query = {} }: { path: string; query?: Record<string, string | number | undefined> }) {
  const { t } = useI18n()
  const download = useMutation({ mutationFn: () => downloadCsv(path, query) })
  return (
    <>
      <Button size="xs" variant="default" loading={download.isPending} onClick={() => download.mutate()}>
        {t('ui.csv')}
      </Button>
      {download.error ? <ProblemNotice error={download.error} /> : null}
    </>
  )
}
