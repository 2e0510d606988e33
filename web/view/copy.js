/** Puts a text on the clipboard; without `navigator.clipboard`, which plain http has not, by a selection. @param {string} text */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
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
