import { effect } from '@preact/signals'
import { kept } from '../../model/kept.js'
import { ui } from '../../model/ui.js'

/** what lay beside the conversation on a wide screen */
const remembered = kept('pane', /** @type {import('../../model/ui.js').Pane | null} */ (null))
if (!ui.narrow.peek()) ui.pane.value = remembered.peek()

/** On a phone, where one pane hides the other, the way back is the browser's: each pane is a step of its history. */
export function keepHistory() {
  let due = false
  const sideOf = () => history.state?.side ?? 'log'

  const settle = () => {
    due = false
    const side = ui.side.peek()
    if (!ui.narrow.peek() || side === sideOf()) return
    if (side === 'log') history.back()
    else if (sideOf() === 'log') history.pushState({ side }, '')
    else history.replaceState({ side }, '')
  }
  effect(() => {
    void ui.side.value
    // Who goes to a room sets the address after the pane.
    if (!due) queueMicrotask(settle)
    due = true
  })
  effect(() => {
    const open = ui.pane.value
    if (open) ui.side.value = 'pane'
    else if (ui.side.peek() === 'pane') ui.side.value = 'log'
    if (!ui.narrow.peek() && open !== 'search') remembered.value = open
  })
  addEventListener('popstate', () => {
    if (!ui.narrow.value) return
    ui.side.value = sideOf()
    if (sideOf() !== 'pane') ui.pane.value = null
  })
}
