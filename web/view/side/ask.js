import { useState } from 'preact/hooks'
import { html } from '../html.js'
import { useAct } from './act.js'
import { sentences } from './sentences.js'

/**
 * A button for what can't be undone: it asks first, in its own place.
 * @param {{ label: string, question: string, act(): Promise<unknown> }} props
 */
export function Ask({ label, question, act }) {
  const [asks, setAsks] = useState(false)
  const { run, busy, problem } = useAct()
  const sure = async () => (await run(act)) && setAsks(false)
  if (!asks) return html`<button type="button" class="button danger" onClick=${() => setAsks(true)}>${label}</button>`
  return html`
    <div class="ask" role="group" aria-label=${question}>
      <p>${question}</p>
      ${problem}
      <button type="button" class="button danger primary" disabled=${busy} onClick=${sure} ref=${focus}>${label}</button>
      <button type="button" class="button quiet" onClick=${() => setAsks(false)}>${sentences.value.cancel}</button>
    </div>
  `
}

// The button that was pressed is gone: the keyboard goes on with the answer.
const focus = (/** @type {HTMLElement | null} */ button) => button?.contains(document.activeElement) || button?.focus()
