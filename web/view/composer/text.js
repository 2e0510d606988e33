/**
 * Puts `text` in the place of a part of the field, as if it was typed, so that it can be undone.
 * @param {HTMLTextAreaElement} field
 * @param {number} start
 * @param {number} end
 * @param {string} text
 */
export function replace(field, start, end, text) {
  field.focus()
  field.setSelectionRange(start, end)
  if (document.execCommand('insertText', false, text)) return
  field.setRangeText(text, start, end, 'end')
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

/** Puts `text` where the caret is. @param {HTMLTextAreaElement} field @param {string} text */
export const insert = (field, text) => replace(field, field.selectionStart, field.selectionEnd, text)

/** Puts a mark on both sides of the selection, or takes it away. @param {HTMLTextAreaElement} field @param {string} mark */
export function wrap(field, mark) {
  const { value, selectionStart: start, selectionEnd: end } = field
  const n = mark.length
  const isMarked = value.slice(start - n, start) === mark && value.slice(end, end + n) === mark
  const inner = value.slice(start, end)
  if (isMarked) replace(field, start - n, end + n, inner)
  else replace(field, start, end, mark + inner + mark)
  const from = isMarked ? start - n : start + n
  field.setSelectionRange(from, from + inner.length)
}

/** A press that leaves a phone's keyboard where it is. @param {Event} event */
export const keepFocus = (event) => matchMedia('(pointer: coarse)').matches && event.preventDefault()
