const root = document.documentElement

/** A phone's keyboard covers the page or pans it, instead of shrinking it: the page takes what is left. */
export function fit() {
  const view = window.visualViewport
  const follow = () => {
    if (!view || view.scale > 1.01) return // zoomed by two fingers, which is another matter
    root.style.setProperty('--height', `${view.height}px`)
    root.style.setProperty('--top', `${view.offsetTop}px`)
  }
  view?.addEventListener('resize', follow)
  view?.addEventListener('scroll', follow)
}
