// A table of vectors: each row a name, a strip of colour and the number at one feature, the same for all rows. What opens a
// block is made of such sheets.

import { decimals, h, number, show } from "./figure.mjs"
import { canvasFor } from "./strips.mjs"

/**
 * A sheet of vectors. `rows` are {name, vector, kind, cells}: `kind` is a name of the palette or nothing, `cells` what
 * stands behind the strip, by column. `head` are the columns' names: the first, that of the strip, and the others.
 * `read(feature)` shows the numbers at a feature, where `feature` counts on the strips.
 */
export function sheet(caption, head, rows, scale, paint, { marked = true, digits = 2, chosen } = {}) {
  const numbers = []
  const lines = rows.map(({ name, vector, kind, cells = [], quiet, label }) => {
    const canvas = canvasFor(vector?.length ?? 1)
    if (vector) paint(canvas, vector, scale)
    const value = number()
    if (vector) numbers.push([value, vector])
    const strip = h(
      "div",
      { class: kind ? `strip ${kind}` : "strip" },
      ...(vector ? [canvas, ...(marked ? [h("i", {})] : [])] : []),
    )
    return h(
      "tr",
      { class: quiet ? "quiet" : "", "aria-current": chosen !== undefined && label === chosen },
      h("th", { scope: "row" }, name),
      h("td", { class: "wide" }, strip),
      ...(marked ? [h("td", {}, vector ? value : "")] : []),
      ...cells.map(cell => h("td", {}, cell)),
    )
  })
  const tops = marked ? [head[0], head[1], "here", ...head.slice(2)] : head
  const node = h(
    "table",
    { class: "sheet" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...tops.map(text => (text ? h("th", { scope: "col" }, text) : h("td", {}))))),
    h("tbody", {}, ...lines),
  )
  const read = feature =>
    numbers.forEach(([value, vector]) => show(value, vector[Math.min(feature, vector.length - 1)], digits))
  return { node, read }
}

/** A number that stands still. */
export function fixed(value, digits = 2) {
  const node = number()
  show(node, value, digits)
  return node
}

/** A share of one, as a bar and a number. */
export function bar(value, kind = "weights") {
  return h("span", { class: "bar", style: `--share: ${value}; --bar: var(--bbb-${kind})` }, fixed(value, 3))
}

/** A count, with commas. */
export function grouped(count) {
  return count.toLocaleString("en")
}

/** A token between quotation marks. */
export function quoted(piece) {
  return h("q", {}, piece.trim() || "␣")
}

/** What a legend says of a scale. */
export function legend(scale) {
  const end = decimals(scale, scale < 1 ? 2 : 1)
  return h("p", { class: "legend quiet" }, `−${end}`, h("span", { class: "ramp" }), `+${end}`)
}

export const SHEET_LOOK = `
q { unicode-bidi: isolate }
.sheet { font-size: 0.75rem; margin: 0.25rem 0 0.5rem }
.sheet caption { font-size: 0.875rem; padding-bottom: 0 }
.sheet th, .sheet td { padding: 0.1rem 0.15rem; vertical-align: middle; white-space: nowrap }
.sheet th:first-child { max-width: 8.5rem; overflow: hidden; padding-left: 0; text-overflow: ellipsis }
.sheet thead td { border-bottom: 1px solid var(--bbb-line) }
.sheet .wide { padding-left: 10px; width: 99% }
.sheet th + th { text-align: left }
.sheet tr[aria-current="true"] th { font-weight: 700 }
.strip { display: block; height: 15px; min-width: 3.5rem; position: relative }
.strip canvas { display: block; height: 100%; image-rendering: pixelated; width: 100% }
.strip i { background: var(--bbb-ink); height: 4px; left: calc(var(--mark) * 100% - 1px); position: absolute; top: -4px; width: 2px }
.strip[class*=" "]::before { background: var(--kind); content: ""; inset: 0 auto 0 -7px; position: absolute; width: 4px }
.query { --kind: var(--bbb-query) } .key { --kind: var(--bbb-key) } .value { --kind: var(--bbb-value) }
.output { --kind: var(--bbb-output) } .encoder { --kind: var(--bbb-encoder) } .decoder { --kind: var(--bbb-decoder) }
.weights { --kind: var(--bbb-weights) }
@container (max-width: 24rem) { .strip { min-width: 2rem } .sheet th, .sheet td { padding: 0.1rem 1px } }
.bar { background: linear-gradient(to right, color-mix(in srgb, var(--bar) 45%, transparent) calc(var(--share) * 100%), transparent 0);
  border-bottom: 1px solid var(--bbb-line); display: inline-block; min-width: 2.5rem; padding: 0 }
.legend { align-items: center; display: flex; font-size: 0.75rem; gap: 0.4rem; margin: 0 }
.ramp { background: linear-gradient(to right, var(--bbb-low), var(--bbb-middle), var(--bbb-high)); display: inline-block;
  height: 10px; width: 6rem }
`
