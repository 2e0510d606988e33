import { signal } from '@preact/signals'

/** The browser's offer to install the page, while there is one. */
export const installer = signal(/** @type {any} */ (null))
/** Goes over to a new version of the page, while one waits. */
export const update = signal(/** @type {(() => void) | null} */ (null))

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault() // the browser's own would lie over the conversation
  installer.value = event
})
addEventListener('appinstalled', () => (installer.value = null))
