import { computed } from '@preact/signals'
import { ui } from './ui.js'
import composer from '../words/composer.js'
import log from '../words/log.js'
import shell from '../words/shell.js'

const all = {
  ko: { composer: composer.ko, log: log.ko, shell: shell.ko },
  en: { composer: composer.en, log: log.en, shell: shell.en },
}

/** The page's sentences in the reader's language. */
export const words = computed(() => all[ui.lang.value])
