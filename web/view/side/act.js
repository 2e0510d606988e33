import { useState } from 'preact/hooks'
import { html } from '../html.js'
import { sentences } from './sentences.js'

/** @import { Problem } from '../../types' */

/**
 * Something to be done at the server: `run` resolves to whether it was, `busy` while it is under way, and `problem` says
 * why it wasn't.
 */
export function useAct() {
  const [refusal, setRefusal] = useState(/** @type {Problem | null} */ (null))
  const [busy, setBusy] = useState(false)
  const run = async (/** @type {() => Promise<unknown>} */ act) => {
    setBusy(true)
    setRefusal(null)
    const why = await act().then(() => null, (why) => why)
    setRefusal(why)
    setBusy(false)
    return !why
  }
  return { run, busy, problem: refusal && html`<p class="error" role="alert">${sentences.value.refused(refusal)}</p>` }
}
