import assert from 'node:assert/strict'

/** Runs in the page before its own scripts: whatever text ran as a script is remembered. */
export const watchScripts = () => {
  window.ran = []
  for (const name of ['alert', 'confirm', 'prompt', 'msgbox', 'print']) window[name] = (what) => window.ran.push(`${name}(${what})`)
}

/** No text became a script, an element that isn't the page's own, or an attribute that acts. */
export async function inert(page) {
  const found = await page.evaluate(() => {
    // What the page is made of, and what Markdown may come to.
    const page = 'a article aside b bdi blockquote br button circle code dd del details dialog div dl dt em fieldset footer form h1 h2 h3 header hr i input kbd label legend li main mark nav ol output p path pre rect s search section select option small span strong summary svg table tbody td textarea th thead time title tr ul'
    const known = new Set(page.split(' '))
    const faults = [...window.ran]
    for (const element of document.body.querySelectorAll('*')) {
      const tag = element.localName
      if (element.matches('.empty-room > img') && element.src.startsWith(`${location.origin}/assets/`)) continue
      if (!known.has(tag) && !element.matches('body > noscript, body > script')) faults.push(`<${tag}>`)
      if (tag === 'svg' && !element.matches('.icon, [role=img], [aria-hidden=true]')) faults.push('<svg>')
      for (const { name, value } of element.attributes) {
        if (/^on|^(src|srcset|srcdoc|formaction|action|xlink:href)$/i.test(name)) faults.push(`<${tag} ${name}="${value}">`)
        if (name === 'href' && !/^(#|https?:\/\/|mailto:)/.test(value)) faults.push(`<${tag} href="${value}">`)
      }
    }
    return faults
  })
  assert.deepEqual(found, [])
}
