import { html } from '../html.js'
import { sentences } from './sentences.js'

const FEW = 8 // are seen at a glance

/**
 * A field that narrows a list, if it is long.
 * @param {{ of: unknown[], query: string, change(query: string): void }} props
 */
export function Filter({ of, query, change }) {
  const say = sentences.value
  const input = (/** @type {any} */ { currentTarget }) => change(currentTarget.value)
  return (
    of.length > FEW &&
    html`<input class="input" type="search" aria-label=${say.filter} placeholder=${say.filter} defaultValue=${query} onInput=${input} />`
  )
}
