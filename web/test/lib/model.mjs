/** Sets signals of the page's model/ui.js, be it bundled or not: `await show(page, { pane: 'members' })`. */
export const show = (page, wanted) =>
  page.evaluate(async (wanted) => {
    const all = document.querySelector('link[href$="/all.js"]')?.href
    const main = document.querySelector('script[type=module]').src
    const { ui } = all ? Object.values(await import(all)).find((module) => module.ui) : await import(main.replace(/main\.js$/, 'model/ui.js'))
    for (const [name, value] of Object.entries(wanted)) ui[name].value = value
  }, wanted)
