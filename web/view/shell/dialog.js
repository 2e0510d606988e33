import { useLayoutEffect, useRef } from 'preact/hooks'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/**
 * The frame of a dialog: modal, named by its title, closed by Esc, its button or a press beside it; the focus goes back
 * to where it was. On phones it is a sheet from below.
 * @param {{ title: string, close(): void, wide?: boolean, class?: string, children?: any }} props
 */
export function Dialog({ title, close, wide, class: more = '', children }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null))
  useLayoutEffect(() => {
    const dialog = ref.current
    dialog?.showModal()
    if (!dialog?.querySelector('[autofocus]')) dialog?.focus() // rather than the button that closes it
    return () => dialog?.close() // while it is in the page, or the focus would be lost
  }, [])
  const beside = (/** @type {PointerEvent} */ event) => event.target === ref.current && close()
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault()
    close()
  }
  return html`
    <dialog ref=${ref} tabindex="-1" class=${`dialog ${wide ? 'wide' : ''} ${more}`} aria-label=${title} onPointerDown=${beside} onCancel=${cancel}>
      <header class="dialog-head">
        <h2>${title}</h2>
        <button class="icon-button" aria-label=${words.value.shell.close} onClick=${close}><${Icon} name="close" /></button>
      </header>
      <div class="dialog-body">${children}</div>
    </dialog>
  `
}
