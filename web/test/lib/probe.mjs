/**
 * What is measured in a page. Times are those of `performance`, as milliseconds since 1970, so that pages of one
 * machine can be compared. Something counts as painted in the task that follows the frame's own work: style, layout and
 * paint are done then, and what is left is the compositor's and the screen's.
 */
export function probe() {
  const epoch = (time) => performance.timeOrigin + time
  const channel = new MessageChannel()
  const waiting = []
  channel.port1.onmessage = () => {
    const now = epoch(performance.now())
    for (const done of waiting.splice(0)) done(now)
  }
  const afterTask = (done) => {
    waiting.push(done)
    channel.port2.postMessage(0)
  }
  let inFrame = false
  const request = requestAnimationFrame.bind(window)
  window.requestAnimationFrame = (run) =>
    request((now) => {
      if (!inFrame) afterTask(() => (inFrame = false))
      inFrame = true
      run(now)
    })
  /** Resolves when what stands in the document has been painted: with this frame if one is being made, or the next. */
  const painted = () => new Promise((done) => (inFrame ? afterTask(done) : requestAnimationFrame(() => afterTask(done))))
  const rows = () => document.querySelectorAll('[role=log] article')
  const probe = { keys: [], own: [], lines: [], typed: [], appends: [], frames: [], first: 0, most: 0 }
  window.probe = probe

  // From Enter to the line: here as what it is before it has an answer, there as a message.
  addEventListener('keydown', (event) => {
    const at = epoch(event.timeStamp)
    if (event.key === 'Enter') {
      const text = event.target.value
      if (!text.startsWith('bench-')) return
      probe.keys.push({ text, at })
      requestAnimationFrame(() =>
        afterTask((now) => {
          const inTime = [...rows()].slice(-3).some((row) => row.textContent.includes(text))
          probe.own.push({ inTime, took: now - at })
        }),
      )
    } else {
      painted().then((now) => probe.typed.push(now - at))
    }
  }, true)

  // From a line's frame on the wire to the line.
  const known = new Set()
  new MutationObserver(() => {
    const all = rows()
    probe.most = Math.max(probe.most, all.length)
    if (all.length && !probe.first) painted().then((now) => (probe.first = now))
    for (const row of [...all].slice(-3)) {
      const text = /bench-\d+-\d+/.exec(row.textContent)?.[0]
      if (!text || known.has(text)) continue
      known.add(text)
      painted().then((now) => probe.lines.push({ text, at: now }))
    }
  }).observe(document, { childList: true, subtree: true, characterData: true })

  // What one message costs: its handler, and the frame that shows it up to layout; and with paint.
  let isDue = false
  const { set, ...rest } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage')
  Object.defineProperty(WebSocket.prototype, 'onmessage', {
    ...rest,
    set(handle) {
      set.call(this, (event) => {
        if (isDue || !event.data.startsWith('{"t":"msg"')) return handle.call(this, event) // two in a frame are no measure
        isDue = true
        let begun
        requestAnimationFrame(() => (begun = performance.now())) // before those that the page asks for
        const start = performance.now()
        handle.call(this, event)
        const handled = performance.now() - start
        requestAnimationFrame(() => {
          // After what the page does in this frame, in a microtask.
          queueMicrotask(() => {
            document.documentElement.offsetHeight // style and layout, now
            const laidOut = handled + performance.now() - begun
            isDue = false
            afterTask(() => probe.appends.push({ laidOut, painted: handled + performance.now() - begun }))
          })
        })
      })
    },
  })

  probe.watchFrames = () => {
    let last = 0
    const frame = (now) => {
      if (last) probe.frames.push(now - last)
      last = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  }
}
