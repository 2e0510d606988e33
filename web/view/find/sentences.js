import { computed } from '@preact/signals'
import { ui } from '../../model/ui.js'
import find from '../../words/find.js'

/** What finding says in the reader's language; it comes with the first dialog. */
export const sentences = computed(() => find[ui.lang.value])
