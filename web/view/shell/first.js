import { useState } from 'preact/hooks'
import { name } from '../../model/identity.js'
import { ui } from '../../model/ui.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Painting } from './painting.js'

const LANGUAGES = { ko: '한국어', en: 'English' }

/**
 * The one question before the chat. `taken` says why a name can't be had; `entering` that one was asked for.
 * @param {{ done(name: string): void, taken?: { suggest?: string, msg?: string } | null, entering?: boolean }} props
 */
export function First({ done, taken = null, entering = false }) {
  const say = words.value.shell
  const [typed, setTyped] = useState(name.value)
  const [blank, setBlank] = useState(false)
  const busy = entering && !taken
  const error = blank ? say.blank : taken && (taken.msg ?? say.taken(name.value))
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    setBlank(!typed.trim())
    if (typed.trim() && !busy) done(typed.trim())
  }
  return html`
    <main class="first">
      <${Painting} />
      <form onSubmit=${submit} novalidate>
        <p class="brand"><b>${say.title}</b> <span lang="ko-Hani">談笑</span> · ${say.meaning}</p>
        <label class="field">
          <h1>${say.welcome}</h1>
          <input
            class="input"
            name="name"
            value=${typed}
            onInput=${(/** @type {InputEvent} */ { currentTarget }) => setTyped(/** @type {any} */ (currentTarget).value)}
            aria-invalid=${!!error}
            aria-describedby="first-hint"
            placeholder=${say.name}
            maxlength="32"
            autocomplete="nickname"
            autocapitalize="off"
            spellcheck=${false}
            autofocus
          />
        </label>
        <p id="first-hint" class=${error ? 'error' : 'hint'} role=${error ? 'alert' : null}>${error || say.hint}</p>
        ${
          taken?.suggest &&
          html`<p class="suggest">
            ${say.suggest} <button type="button" class="button" onClick=${() => done(taken.suggest ?? '')}>${taken.suggest}</button>
          </p>`
        }
        <button class="button primary" aria-disabled=${busy}>${busy ? say.entering : say.enter}</button>
        <p class="languages" role="group" aria-label=${say.language}>
          ${Object.entries(LANGUAGES).map(
            ([lang, said]) =>
              html`<button type="button" lang=${lang} aria-pressed=${lang === ui.lang.value} onClick=${() => (ui.chosen.value = /** @type {any} */ (lang))}>
                ${said}
              </button>`,
          )}
        </p>
      </form>
    </main>
  `
}
