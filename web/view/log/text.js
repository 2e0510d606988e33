import { h } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import { callable } from '../../lib/names.js'
import { markdown } from '../../lib/markdown.js'
import { words } from '../../model/words.js'
import { copy } from '../copy.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'

const LINES_MAX = 25 // lines and
const CHARACTERS_MAX = 2500 // characters that are shown unasked
const GLYPHS = /^(?:\p{Extended_Pictographic}[\u{200d}\u{fe0f}\u{1f3fb}-\u{1f3ff}]* ?)+$/u

/** What a message says. @param {{ text: string, mentions: string[], chat: import('../../model/chat.js').Chat }} props */
export function Text({ text, mentions, chat }) {
  const [isOpen, setOpen] = useState(false)
  const me = chat.me.value
  const body = useMemo(() => {
    const names = callable(mentions, (user) => (user === me?.user ? me?.name : chat.nameOf(user)))
    return markdown(text, { h: (tag, ...rest) => h(tag === 'pre' ? Code : tag, ...rest), names, me: me?.user })
  }, [text, mentions, me])
  const isLong = text.length > CHARACTERS_MAX || text.split('\n', LINES_MAX + 1).length > LINES_MAX
  return html`
    <div class=${['text', isLong && !isOpen && 'folded', text.length < 16 && GLYPHS.test(text) && 'glyphs'].filter(Boolean).join(' ')} dir="auto">${body}</div>
    ${isLong && html`<button class="fold" onClick=${() => setOpen(!isOpen)}>${isOpen ? words.value.log.fold : words.value.log.unfold}</button>`}
  `
}

/** @param {any} props */
function Code({ children, ...props }) {
  const [isCopied, setCopied] = useState(false)
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const take = async () => {
    await copy(box.current?.textContent ?? '')
    setCopied(true)
    setTimeout(() => setCopied(false), 2000)
  }
  const label = isCopied ? words.value.log.copied : words.value.log.copy
  return html`
    <div class="code">
      <pre ref=${box} ...${props}>${children}</pre>
      <button class="icon-button" title=${label} aria-label=${label} onClick=${take}><${Icon} name=${isCopied ? 'check' : 'copy'} /></button>
    </div>
  `
}
