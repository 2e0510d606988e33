const QUIET = 4 // modules of light around it, which readers need

/**
 * A QR code as one SVG path: `rows` of '0' and '1', each '1' a dark square. With its size, light edge included.
 * @param {string[]} rows
 */
export function drawn(rows) {
  const runs = rows.flatMap((row, y) =>
    [...row.matchAll(/1+/g)].map(({ index, 0: { length } }) => `M${index + QUIET} ${y + QUIET}h${length}v1h-${length}z`),
  )
  return { path: runs.join(''), size: rows.length + 2 * QUIET }
}
