import { useI18n } from '../i18n'
import { Facts } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Hash } from '../ui/values'
import { hashesOf, type TypedDocument } from './typedData'

/** The hashes to compare with the wallet's own screen. They are computed here: the API has no say in them. */
export function HashCard({ document }: { document: TypedDocument }) {
  const { t } = useI18n()
  const hashes = hashesOf(document)
  return (
    <section className={ui.panel} aria-label={t('hash.title')}>
      <Facts
        of={[
          [t('hash.domain'), <Hash key="d" of={hashes.domain} />],
          [t('hash.message'), <Hash key="m" of={hashes.message} />],
          [t(document.primaryType === 'SafeTx' ? 'hash.safeTx' : 'hash.document'), <Hash key="s" of={hashes.document} />],
        ]}
      />
      <p className={ui.note}>{t('hash.note')}</p>
    </section>
  )
}
