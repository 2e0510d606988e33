import { computed, effect, signal } from '@preact/signals'
import { kept } from './kept.js'

/** @typedef {'members' | 'pins' | 'settings' | 'search'} Pane */
/** @typedef {'switcher' | 'keys' | 'settings' | 'phone' | 'new-room' | 'date'} Dialog */

const phone = matchMedia('(max-width: 719px)')
const narrow = signal(phone.matches)
phone.addEventListener('change', () => (narrow.value = phone.matches))

const chosen = kept('lang', /** @type {'' | 'ko' | 'en'} */ (''))
const lang = computed(() => chosen.value || (/^ko\b/i.test(navigator.language) ? 'ko' : 'en'))

/** What the page looks like now, for this reader; nothing of it is the server's. */
export const ui = {
  /** the language chosen, '' for the browser's; `lang` is the one in use */
  chosen,
  lang,
  theme: kept('theme', /** @type {'system' | 'light' | 'dark'} */ ('system')),
  /** whether Enter sends and Shift+Enter breaks the line, or the other way round with Ctrl+Enter */
  enterSends: kept('enterSends', !matchMedia('(pointer: coarse)').matches), // a phone's keyboard has no other way to break one
  notify: kept('notify', false),
  sound: kept('sound', false),

  /** under 720 px: one pane at a time, `side` says which */
  narrow,
  side: signal(/** @type {'rooms' | 'log' | 'pane'} */ ('log')),
  pane: signal(/** @type {Pane | null} */ (null)),
  dialog: signal(/** @type {Dialog | null} */ (null)),

  /** the message that is being answered, by room */
  reply: signal(/** @type {Record<string, number>} */ ({})),
  /** text for the composer, which takes it at its caret and leaves '' */
  insert: signal(''),
  editing: signal(/** @type {{ room: string, m: number } | null} */ (null)),
  /** rises when the reader says that all is read */
  allRead: signal(0),
  /** a message to go to and light up */
  target: signal(/** @type {{ room: string, m: number } | null} */ (null)),
}

effect(() => {
  document.documentElement.lang = lang.value
  document.documentElement.dataset.theme = ui.theme.value
  const bars = document.querySelectorAll('meta[name=theme-color]') // what the system lays round the page, by day and by night
  for (const [i, scheme] of ['light', 'dark'].entries()) {
    const { value } = ui.theme
    const bar = /** @type {HTMLMetaElement} */ (bars[i])
    bar.media = value === 'system' ? `(prefers-color-scheme: ${scheme})` : value === scheme ? 'all' : 'not all'
  }
})
