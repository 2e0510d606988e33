import { computed } from '@preact/signals'
import { ui } from './ui.js'
import composer from '../words/composer.js'
import find from '../words/find.js'
import log from '../words/log.js'
import shell from '../words/shell.js'

const all = {
  ko: { composer: composer.ko, find: find.ko, log: log.ko, shell: shell.ko },
  en: { composer: composer.en, find: find.en, log: log.en, shell: shell.en },
}

/** The page's sentences in the reader's language. */
export const words = computed(() => all[ui.lang.value])
