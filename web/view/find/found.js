import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { HitLink } from './hit.js'
import { sentences } from './sentences.js'

/** @import { Hit, Search } from '../../model/search.js' */

/** What a search found, by room. @param {{ search: Search }} props */
export function Found({ search }) {
  const chat = useChat()
  const say = sentences.value
  const { hits, state, more, partial, room } = search
  const count = hits.value.length
  const status = {
    idle: '',
    searching: say.searching,
    wrong: '',
    failed: '',
    done: count ? say.found(count, !!more.value) : room.value ? say.nothingHere : say.nothing,
  }[state.value]
  const rooms = Map.groupBy(hits.value, (/** @type {Hit} */ hit) => hit.room)
  return html`
    <p class="hint" role="status">${status}</p>
    ${state.value === 'wrong' && html`<p class="error" role="alert">${say.wrong}</p>`}
    ${state.value === 'failed' &&
    html`<p class="error" role="alert">${say.failed}</p>
      <button class="button" onClick=${() => search.run()}>${say.retry}</button>`}
    ${partial.value && state.value === 'done' && html`<p class="hint">${say.partial}</p>`}
    ${[...rooms].map(([id, found]) => html`
      <section key=${id} class="hits">
        <h3>${chat.entry(id)?.name ?? id}</h3>
        <ul>${found.map((hit) => html`<${HitLink} key=${hit.m} hit=${hit} />`)}</ul>
      </section>
    `)}
    ${more.value && html`<button class="button" disabled=${state.value === 'searching'} onClick=${() => search.next()}>${say.more}</button>`}
  `
}
