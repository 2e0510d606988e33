/** Sets signals of the page's model/ui.js: `await show(page, { pane: 'members' })`. */
export const show = (page, wanted) =>
  page.evaluate(async (wanted) => {
    const tokens = document.querySelector('link[href$="/css/tokens.css"]').href
    const { ui } = await import(tokens.replace('css/tokens.css', 'model/ui.js'))
    for (const [name, value] of Object.entries(wanted)) ui[name].value = value
  }, wanted)
