import { useRef } from 'preact/hooks'
import { Enter } from '../../lib/enter.js'

const RELEASE = 150 // ms

/**
 * Handlers for a field in which Enter chooses, once, whatever the input method makes of it. What ends a composition
 * chooses when the key is up again: it may be reported a second time, and the field has to be there to hear it.
 * @param {() => void} choose
 */
export function useEnter(choose) {
  const field = useRef(/** @type {{ enter: Enter, choose: () => void } | null} */ (null))
  field.current ??= { enter: new Enter(), choose }
  field.current.choose = choose
  const { enter } = field.current
  const settle = () => void (enter.due() && field.current?.choose())
  const handle = (/** @type {Event} */ event) => {
    const wish = enter.handle(event)
    if (wish === 'soon') setTimeout(settle, RELEASE)
    if (wish === 'send' || wish === 'swallow') event.preventDefault()
    if (wish === 'send' || wish === 'flush') field.current?.choose()
    if (event.type === 'keyup') settle()
  }
  return {
    onKeyDown: handle,
    onKeyUp: handle,
    onBlur: handle,
    oncompositionstart: handle,
    oncompositionupdate: handle,
    oncompositionend: handle,
  }
}
