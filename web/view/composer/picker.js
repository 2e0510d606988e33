import { signal, useComputed } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { QUICK, load, search } from '../../lib/emoji.js'
import { ui } from '../../model/ui.js'
import all from '../../words/picker.js'
import { useEnter } from '../find/use-enter.js'
import { html } from '../html.js'
import { place } from './place.js'
import { recent, used } from './recent.js'

/** @import { Emoji } from '../../lib/emoji.js' */

const SIGNS = ['😀', '👋', '🐻', '🍎', '🚗', '⚽', '💡', '❤️', '🏁']
const FOUND = 90
const NEAR = 30 // cells, more than two rows

/**
 * A grid of emoji with a search in English and Korean, beside the button that opens it and, pressed again, closes it.
 * Closed by Esc and by a press elsewhere as well, with the focus where it was.
 * @param {{ onPick(glyph: string): void, close(): void, anchor: Element }} props
 */
export default function Picker({ onPick, close, anchor }) {
  const say = all[ui.lang.value]
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const grid = useRef(/** @type {HTMLElement | null} */ (null))
  const [emoji, setEmoji] = useState(/** @type {Emoji[] | null} */ (null))
  const [failed, setFailed] = useState(false)
  const [query, setQuery] = useState('')
  const [pointed] = useState(() => signal(/** @type {Emoji | null} */ (null)))
  const [lately] = useState(() => (recent.peek().length ? recent.peek() : QUICK))

  const pick = (/** @type {string | undefined} */ glyph) => {
    if (!glyph) return
    used(glyph)
    close()
    onPick(glyph)
  }
  const found = emoji && query.trim() ? search(emoji, query, FOUND) : null
  const enter = useEnter(() => pick(found?.[0]?.glyph))

  useEffect(() => void load().then(setEmoji, () => setFailed(true)), [])
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current)
    const before = /** @type {HTMLElement | null} */ (document.activeElement)
    element.showPopover()
    place(element, anchor.closest('.box') ?? anchor)
    // A phone's keyboard would cover the grid: it comes when the search is touched.
    if (matchMedia('(pointer: fine)').matches) element.querySelector('input')?.focus()
    else element.focus()
    const elsewhere = (/** @type {any} */ { target }) => [element, anchor].every((own) => !own.contains(target)) && close()
    addEventListener('pointerdown', elsewhere, true)
    return () => {
      removeEventListener('pointerdown', elsewhere, true)
      if (element.contains(document.activeElement)) before?.focus()
    }
  }, [])

  const of = (/** @type {EventTarget | null} */ target) => {
    const glyph = /** @type {HTMLElement | null} */ (target)?.closest?.('button[data-glyph]')?.getAttribute('data-glyph')
    return emoji?.find((each) => each.glyph === glyph) ?? null
  }
  const point = (/** @type {Event} */ { target }) => (pointed.value = of(target) ?? pointed.peek())
  const keyed = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.keyCode === 229 || !box.current) return // Enter may have closed it
    if (event.key === 'Escape') close()
    else if (!move(event, box.current)) return event.stopPropagation()
    event.preventDefault()
    event.stopPropagation()
  }
  const jump = (/** @type {number} */ group) => grid.current?.querySelector(`[data-group='${group}']`)?.scrollIntoView()

  const sections = found
    ? [{ title: say.results, group: -1, glyphs: found }]
    : [
        { title: recent.peek().length ? say.recent : say.quick, group: -1, glyphs: lately.map((glyph) => emoji?.find((each) => each.glyph === glyph)).filter((each) => !!each) },
        ...say.groups.map((title, group) => ({ title, group, glyphs: emoji?.filter((each) => each.group === group) ?? [] })),
      ]
  return html`
    <div class="picker popover" popover="manual" role="dialog" aria-label=${say.title} tabindex="-1" ref=${box} onKeyDown=${keyed}>
      <input
        class="input"
        type="search"
        aria-label=${say.search}
        placeholder=${say.hint}
        autocomplete="off"
        spellcheck=${false}
        enterkeyhint="done"
        onInput=${(/** @type {any} */ event) => setQuery(event.target.value)}
        ...${enter}
      />
      ${!found &&
      html`
        <div class="groups">
          ${say.groups.map((title, group) => html`<button aria-label=${title} title=${title} onClick=${() => jump(group)}>${SIGNS[group]}</button>`)}
        </div>
      `}
      <div class="glyphs" ref=${grid} onClick=${(/** @type {Event} */ event) => pick(of(event.target)?.glyph)} onMouseOver=${point} onFocusIn=${point}>
        ${failed && html`<p class="hint" role="alert">${say.missing}</p>`}
        ${emoji && sections.map(({ title, group, glyphs }) => html`<${Section} key=${`${group} ${found ? query : ''}`} ...${{ title, group, glyphs }} />`)}
        ${found?.length === 0 && html`<p class="hint" role="status">${say.none}</p>`}
      </div>
      <${Pointed} of=${pointed} />
    </div>
  `
}

/** @param {{ title: string, group: number, glyphs: Emoji[] }} props */
function Section({ title, group, glyphs }) {
  const lang = ui.lang.value
  if (!glyphs.length) return null
  return html`
    <section role="group" data-group=${group} aria-label=${title}>
      <h3>${title}</h3>
      <div>
        ${glyphs.map(({ glyph, name }) => html`<button key=${glyph} data-glyph=${glyph} aria-label=${name[lang]} tabindex="-1">${glyph}</button>`)}
      </div>
    </section>
  `
}

/** What the one under the pointer, or with the focus, is called. @param {{ of: import('@preact/signals').Signal<Emoji | null> }} props */
function Pointed({ of }) {
  const it = useComputed(() => of.value).value
  return html`
    <p class="pointed" aria-hidden="true">
      ${it && html`<span class="glyph">${it.glyph}</span> <span>${it.name[ui.lang.value]}</span> <code>:${it.codes[0]}:</code>`}
    </p>
  `
}

/**
 * Arrows go from the search into the grid, through it, and back.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} box
 * @returns {boolean} whether the key was one of those
 */
function move({ key, target }, box) {
  const buttons = /** @type {HTMLElement[]} */ ([...box.querySelectorAll('button[data-glyph]')])
  const input = box.querySelector('input')
  const at = buttons.indexOf(/** @type {HTMLElement} */ (target))
  if (target === input) {
    if (key === 'ArrowDown') buttons[0]?.focus()
    return key === 'ArrowDown'
  }
  if (at < 0) return false
  const here = buttons[at].getBoundingClientRect()
  /** The one nearest above or below. @param {1 | -1} way */
  const beside = (way) => {
    const near = way < 0 ? buttons.slice(Math.max(0, at - NEAR), at).reverse() : buttons.slice(at + 1, at + NEAR)
    const places = near.map((button) => ({ button, rect: button.getBoundingClientRect() })).filter(({ rect }) => way * (rect.y - here.y) > 1)
    const row = places.filter(({ rect }) => rect.y === places[0].rect.y)
    return row.sort((a, b) => Math.abs(a.rect.x - here.x) - Math.abs(b.rect.x - here.x))[0]?.button
  }
  const to = {
    ArrowRight: () => buttons[at + 1],
    ArrowLeft: () => buttons[at - 1],
    ArrowDown: () => beside(1),
    ArrowUp: () => beside(-1) ?? input,
  }[key]
  to?.()?.focus()
  return !!to
}
