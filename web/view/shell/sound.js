/** Two soft strokes, as on a small bell: made here, as there is nothing to load. */
export function beep() {
  const context = new AudioContext()
  const end = context.currentTime + 0.7
  for (const [pitch, at] of [
    [880, 0],
    [1174.7, 0.09],
  ]) {
    const tone = context.createOscillator()
    const volume = context.createGain()
    const start = context.currentTime + at
    tone.frequency.value = pitch
    volume.gain.setValueAtTime(0, start)
    volume.gain.linearRampToValueAtTime(0.08, start + 0.012)
    volume.gain.exponentialRampToValueAtTime(0.0001, end)
    tone.connect(volume).connect(context.destination)
    tone.start(start)
    tone.stop(end)
    tone.onended = () => context.close()
  }
}
