import { call, isFirst } from '../../model/notify.js'
import { ui } from '../../model/ui.js'
import { beep } from './sound.js'

const LATER = 400 // ms in which a tab that shows the message says that it is read

/**
 * Tells of mentions and direct messages that the reader doesn't see.
 * @param {import('../../model/chat.js').Chat} chat
 * @returns {() => void} to stop
 */
export function alertOf(chat) {
  const isSeen = (/** @type {string} */ room) => !document.hidden && document.hasFocus() && chat.room.peek() === room
  return chat.listen((notice) => {
    if (!ui.notify.peek() && !ui.sound.peek()) return
    const found = call(notice, chat.me.peek()?.user, (room) => chat.entry(room))
    if (!found || isSeen(found.room)) return
    setTimeout(() => {
      const entry = chat.entry(found.room)
      if (!entry || entry.read >= found.m || isSeen(found.room) || !isFirst(localStorage, found)) return
      if (ui.sound.peek()) beep()
      if (ui.notify.peek()) notify(chat, found, entry.name ?? '')
    }, LATER)
  })
}

/**
 * @param {import('../../model/chat.js').Chat} chat
 * @param {NonNullable<ReturnType<typeof call>>} found
 * @param {string} place
 */
async function notify(chat, { room, m, name, text, direct }, place) {
  if (globalThis.Notification?.permission !== 'granted') return
  const title = direct ? name : `${name} · ${place}`
  const options = { body: text.slice(0, 200), tag: `damso/${room}`, icon: new URL('../../icon.svg', import.meta.url).href, data: { room, m } }
  const worker = await navigator.serviceWorker?.getRegistration()
  // Phones know notifications by workers alone; a click there comes back as a message.
  if (worker?.active) return worker.showNotification(title, { ...options, silent: true })
  const shown = new Notification(title, { ...options, silent: true })
  shown.onclick = () => {
    window.focus()
    chat.show(room, m)
    shown.close()
  }
}
