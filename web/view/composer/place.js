const GAP = 8 // px

/**
 * Puts what floats above its anchor, or below where there is more room, within the window. On phones it is a sheet, and
 * the style sheet places it.
 * @param {HTMLElement} element
 * @param {Element} anchor
 */
export function place(element, anchor) {
  const { top, bottom, right } = anchor.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = element
  const above = top - height - GAP
  const below = Math.min(bottom + GAP, innerHeight - height - GAP)
  element.style.setProperty('--x', `${Math.max(GAP, Math.min(right - width, innerWidth - width - GAP))}px`)
  element.style.setProperty('--y', `${Math.max(GAP, above >= GAP || top > innerHeight - bottom ? above : below)}px`)
}
