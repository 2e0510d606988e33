import { ui } from '../../model/ui.js'
import { meaning } from './keys.js'

/** @import { Chat } from '../../model/chat.js' */
/** @import { Act } from './keys.js' */

const AGAIN = 1500 // ms in which a second Ctrl+F is ours; the first is the browser's

const isTyping = (/** @type {EventTarget | null} */ target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** Listens for the keys of the whole page. @param {Chat} chat */
export function listenForKeys(chat) {
  let found = -Infinity

  const step = (/** @type {number} */ by, unreadOnly = false) => {
    const rooms = chat.list.peek()
    const at = rooms.findIndex(({ id }) => id === chat.room.peek())
    for (let i = 1; i <= rooms.length; i++) {
      const room = rooms[(at + by * i + rooms.length * i) % rooms.length]
      if (!unreadOnly || room.n > room.readn) return chat.show(room.id)
    }
  }

  const search = () => {
    ui.pane.value = 'search'
    const field = /** @type {HTMLElement | null} */ (document.querySelector('.pane [type=search]'))
    field?.focus() // if it was open before; else it does so by itself
  }

  /** @type {Record<Act, () => unknown>} */
  const acts = {
    switcher: () => (ui.dialog.value = ui.dialog.value === 'switcher' ? null : 'switcher'),
    keys: () => (ui.dialog.value = 'keys'),
    search,
    find: search,
    up: () => step(-1),
    down: () => step(1),
    unreadUp: () => step(-1, true),
    unreadDown: () => step(1, true),
    escape() {
      if (chat.complaint.value) chat.complaint.value = ''
      else if (ui.pane.value) ui.pane.value = null
      else ui.allRead.value++
    },
  }

  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented) return
    const act = meaning(event, { typing: isTyping(event.target) })
    if (!act) return
    // What is open above the page has its own keys, and closes by itself.
    if (act !== 'switcher' && document.querySelector('dialog[open], :popover-open')) return
    if (act === 'find') {
      const isAgain = event.timeStamp - found < AGAIN
      found = event.timeStamp
      if (!isAgain) return
    }
    event.preventDefault()
    acts[act]()
  })
}
