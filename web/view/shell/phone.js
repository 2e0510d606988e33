import { useEffect, useRef, useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { ui } from '../../model/ui.js'
import settings from '../../words/settings.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { Dialog } from './dialog.js'
import { drawn } from './qr.js'

/** The way to be the same person on another device: a link that holds the key. @param {{ close(): void }} props */
export default function Phone({ close }) {
  const chat = useChat()
  const say = settings[ui.lang.value]
  const [link, setLink] = useState(/** @type {{ url: string, rows: string[], local?: boolean } | null} */ (null))
  const [problem, setProblem] = useState('')
  const [isCopied, setCopied] = useState(false)
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  useEffect(() => {
    chat.api.link().then(setLink, (why) => setProblem(why.message))
  }, [])
  const copy = async () => {
    field.current?.select()
    // Plain http has no clipboard of its own.
    if (navigator.clipboard) await navigator.clipboard.writeText(link?.url ?? '')
    else document.execCommand('copy')
    setCopied(true)
  }
  const code = link && drawn(link.rows)
  return html`
    <${Dialog} title=${say.phoneTitle} close=${close}>
      ${problem && html`<p class="error" role="alert">${problem}</p>`}
      ${
        link &&
        code &&
        html`
          ${link.local && html`<p class="notice">${say.phoneLocal}</p>`}
          <div class="qr">
            <svg viewBox=${`0 0 ${code.size} ${code.size}`} role="img" aria-label=${say.phoneQr} shape-rendering="crispEdges">
              <rect width=${code.size} height=${code.size} /><path d=${code.path} />
            </svg>
            <p>${say.phoneHow}</p>
          </div>
          <label class="field">
            <span>${say.link}</span>
            <span class="beside">
              <input ref=${field} class="input" readonly value=${link.url} onFocus=${() => field.current?.select()} />
              <button class="button" onClick=${copy} aria-live="polite"><${Icon} name=${isCopied ? 'check' : 'copy'} />${isCopied ? say.copied : say.copy}</button>
            </span>
          </label>
          <p class="notice warning">${say.phoneWarn}</p>
        `
      }
    <//>
  `
}
