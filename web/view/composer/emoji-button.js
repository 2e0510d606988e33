import { useRef, useState } from 'preact/hooks'
import { html } from '../html.js'
import { Icon } from '../icons.js'

/**
 * A button that opens the emoji, and closes them. They are loaded when they are first wanted.
 * @param {{ label: string, onPick(glyph: string): void }} props
 */
export function EmojiButton({ label, onPick }) {
  const [{ Picker }, setPicker] = useState(/** @type {{ Picker?: any }} */ ({}))
  const button = useRef(/** @type {HTMLElement | null} */ (null))
  const close = () => setPicker({})
  const open = async () => {
    if (Picker) close()
    else setPicker({ Picker: (await import('./picker.js')).default })
  }
  return html`
    <button
      type="button"
      class="icon-button"
      ref=${button}
      aria-label=${label}
      title=${label}
      aria-haspopup="dialog"
      aria-expanded=${!!Picker}
      onClick=${open}
    >
      <${Icon} name="react" />
    </button>
    ${Picker && html`<${Picker} onPick=${onPick} close=${close} anchor=${button.current} />`}
  `
}
