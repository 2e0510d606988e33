import { computed } from '@preact/signals'
import { ui } from '../../model/ui.js'

/** Times as the reader's language writes them. */
export const times = computed(() => {
  const lang = navigator.languages.find((each) => each.startsWith(ui.lang.value)) ?? ui.lang.value
  const made = (/** @type {Intl.DateTimeFormatOptions} */ options) => new Intl.DateTimeFormat(lang, options)
  return {
    clock: made({ hour: 'numeric', minute: '2-digit' }),
    full: made({ dateStyle: 'full', timeStyle: 'short' }),
    day: made({ month: 'long', day: 'numeric', weekday: 'long' }),
    date: made({ dateStyle: 'full' }),
  }
})

/** @param {number} at */
export const day = (at) => new Date(at).toDateString()
