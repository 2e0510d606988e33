import { effect, signal } from '@preact/signals'

/**
 * A signal that outlives the page, and follows what other tabs set. Where nothing can be kept it lives as long as the
 * page does.
 * @template T
 * @param {string} name
 * @param {T} initial
 */
export function kept(name, initial) {
  const key = `damso.${name}`
  const read = (/** @type {string | null | undefined} */ text) => {
    try {
      return text == null ? initial : /** @type {T} */ (JSON.parse(text))
    } catch {
      return initial
    }
  }
  const value = signal(initial)
  try {
    value.value = read(localStorage.getItem(key))
    addEventListener('storage', (event) => event.key === key && (value.value = read(event.newValue)))
    effect(() => {
      const text = JSON.stringify(value.value)
      try {
        if (localStorage.getItem(key) !== text) localStorage.setItem(key, text)
      } catch {} // full, or forbidden meanwhile
    })
  } catch {} // forbidden
  return value
}
