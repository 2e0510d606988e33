/** Runs in the page: the contrast of each piece of text with what is painted behind it. */
export function contrasts() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number)
  const luminance = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor
    return channels(color)[3] === 0 ? ground(element.parentElement) : color
  }
  return [...document.querySelectorAll('h1, small, button, .mark, .who, time, .line, textarea')]
    .filter((element) => element.offsetParent)
    .map((element) => {
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x)
      return { what: element.className || element.tagName, text: element.textContent, ratio: (a + 0.05) / (b + 0.05) }
    })
}
