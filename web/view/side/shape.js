import { useState } from 'preact/hooks'
import { useChat } from '../../model/context.js'
import { html } from '../html.js'
import { useAct } from './act.js'
import { sentences } from './sentences.js'

/** @import { Detail, RoomEntry } from '../../types' */

/**
 * A room's name, topic and who may write, for its owners to change.
 * @param {{ room: string, entry: RoomEntry, detail: Detail, owns: boolean }} props
 */
export function Shape({ room, entry, detail, owns }) {
  const chat = useChat()
  const say = sentences.value
  const { run, busy, problem } = useAct()
  const [saved, setSaved] = useState(false)
  const now = /** @type {Record<string, string>} */ ({ name: entry.name ?? '', topic: detail.topic, post: entry.post })
  if (!owns) {
    return html`
      <dl>
        <dt>${say.name}</dt><dd>${now.name}</dd>
        ${entry.kind !== 'direct' && html`<dt>${say.topic}</dt><dd>${now.topic || say.noTopic}</dd>`}
        <dt>${say.kind}</dt><dd>${say.kinds[entry.kind]}</dd>
        ${entry.kind !== 'direct' && html`<dt>${say.post}</dt><dd>${say.posts[entry.post]}</dd>`}
      </dl>
      ${entry.kind !== 'direct' && !detail.archived && html`<p class="hint">${say.forOwners}</p>`}
    `
  }
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const form = Object.entries(Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))))
    const changes = form.filter(([key, value]) => value !== now[key])
    setSaved(!changes.length || (await run(() => chat.api.set(room, Object.fromEntries(changes)))))
  }
  // A field whose value was changed elsewhere begins anew.
  return html`
    <form onSubmit=${save} onInput=${() => setSaved(false)}>
      ${room !== 'lobby' && html`<label class="field"><span>${say.name}</span><input class="input" key=${now.name} name="name" maxlength="80" required defaultValue=${now.name} /></label>`}
      <label class="field"><span>${say.topic}</span><textarea class="input" key=${now.topic} name="topic" maxlength="250" rows="3" defaultValue=${now.topic}></textarea></label>
      <div class="field">
        <span id="may-write">${say.post}</span>
        <fieldset class="choice" key=${now.post} aria-labelledby="may-write">
          ${Object.entries(say.posts).map(
            ([post, name]) => html`<label><input type="radio" name="post" value=${post} defaultChecked=${post === now.post} /><span>${name}</span></label>`,
          )}
        </fieldset>
      </div>
      ${problem}
      <button class="button primary" disabled=${busy}>${say.save}</button>
      <span class="hint" role="status">${saved && say.saved}</span>
    </form>
  `
}
