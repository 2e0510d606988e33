/** Puts a text on the clipboard; where the page may not, as on plain http, by a selection. @param {string} text */
export async function copy(text) {
  try {
    return await navigator.clipboard.writeText(text)
  } catch {} // there is none, or it may not be used
  const field = document.createElement('textarea')
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)
  field.value = text
  field.className = 'hidden-visually'
  document.body.append(field)
  field.select()
  document.execCommand('copy')
  field.remove()
  focused?.focus({ preventScroll: true })
}
