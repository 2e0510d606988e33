import { useRef, useState } from 'preact/hooks'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { replace } from './text.js'

/** Opens the emoji, to put one into the field. @param {{ field: import('preact').RefObject<HTMLTextAreaElement> }} props */
export function EmojiButton({ field }) {
  const [Picker, setPicker] = useState(/** @type {{ view?: any }} */ ({}))
  const button = useRef(/** @type {HTMLElement | null} */ (null))
  const say = words.value.composer
  const open = async () => {
    if (Picker.view) return setPicker({})
    const { default: view } = await import('./picker.js')
    setPicker({ view })
  }
  const put = (/** @type {string} */ glyph) => {
    if (field.current) replace(field.current, field.current.selectionStart, field.current.selectionEnd, glyph)
  }
  return html`
    <button type="button" class="icon-button" ref=${button} aria-label=${say.emoji} title=${say.emoji} aria-expanded=${!!Picker.view} onClick=${open}>
      <${Icon} name="react" />
    </button>
    ${Picker.view && html`<${Picker.view} onPick=${put} close=${() => setPicker({})} anchor=${button.current?.closest('.box')} />`}
  `
}
