import { computed } from '@preact/signals'
import { ui } from '../../model/ui.js'
import side from '../../words/side.js'

/** What panes say in the reader's language; it comes with the first of them. */
export const sentences = computed(() => side[ui.lang.value])
