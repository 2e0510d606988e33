import { computed } from '@preact/signals'
import { ui } from '../../model/ui.js'

/** Times as the reader's language writes them. */
export const times = computed(() => {
  const lang = navigator.languages.find((each) => each.startsWith(ui.lang.value)) ?? ui.lang.value
  const made = (/** @type {Intl.DateTimeFormatOptions} */ options) => new Intl.DateTimeFormat(lang, options)
  const short = made({ hour: 'numeric', minute: '2-digit' })
  return {
    clock: short,
    /** for where there is no room for morning or afternoon */
    brief: (/** @type {number} */ at) => short.formatToParts(at).reduce((text, { type, value }) => (type === 'dayPeriod' ? text : text + value), '').trim(),
    full: made({ dateStyle: 'full', timeStyle: 'short' }),
    day: made({ month: 'long', day: 'numeric', weekday: 'long' }),
    date: made({ dateStyle: 'full' }),
  }
})

/** @param {number} at */
export const day = (at) => new Date(at).toDateString()
