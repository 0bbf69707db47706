/** Which report is this file? Its hash is computed in the browser and looked for in every version; the file is sent nowhere. */
import { Alert, Button, FileButton } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useI18n, type Key } from '../i18n'
import { Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Hash } from '../ui/values'
import { findByHash, hashOf } from './files'

export function VerifyFile() {
  const { t } = useI18n()
  const verify = useMutation({
    mutationFn: async (file: File) => {
      const hash = hashOf(new Uint8Array(await file.arrayBuffer()))
      return { name: file.name, hash, found: await findByHash(hash) }
    },
  })
  const { data } = verify
  return (
    <Panel
      title={t('reports.verify')}
      aside={
        <FileButton onChange={(file) => file && verify.mutate(file)} inputProps={{ 'aria-label': t('reports.choose') }}>
          {(props) => (
            <Button {...props} size="xs" variant="default" loading={verify.isPending}>
              {t('reports.choose')}
            </Button>
          )}
        </FileButton>
      }
    >
      <p className={ui.note}>{t('reports.verifyText')}</p>
      {verify.error ? <ProblemNotice error={verify.error} /> : null}
      {data === undefined ? null : data.found === null ? (
        <Alert color="red" role="status" title={t('reports.noSuchFile', { name: data.name })}>
          {t('reports.noSuchFileText')} <Hash of={data.hash} />
        </Alert>
      ) : (
        <Alert color={data.found.newest === data.found.report.version ? 'green' : 'orange'} role="status" title={t('reports.genuine', { name: data.name })}>
          <Link to="/reports/$kind/$day" params={{ kind: data.found.report.kind, day: data.found.report.firstDay }} search={{ version: data.found.report.version }}>
            {t(`reports.title.${data.found.report.kind}` as Key, { day: data.found.report.firstDay })}, {t('reports.versionOf', { version: data.found.report.version })}
          </Link>
          {data.found.newest === data.found.report.version ? null : <p>{t('reports.replacedBy', { version: data.found.newest })}</p>}
          <div>
            <Hash of={data.hash} />
          </div>
        </Alert>
      )}
    </Panel>
  )
}
