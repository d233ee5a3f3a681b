// The matrix behind a head's queries, keys or values: its slice as a picture, fetched when it is shown.

import { choice, h, number, show, store } from "./figure.mjs"
import { phrase, stripOf } from "./sheet.mjs"
import { canvasFor, scaleOf } from "./strips.mjs"

export const KINDS = ["query", "key", "value"]
const MATRICES = { query: "W_Q", key: "W_K", value: "W_V" }

/** Which matrix of a head is shown; kept while the reader goes from token to token. */
const shownMatrix = store({ kind: "query" })

/** One head's slice of a matrix as a picture, and how one of its rows makes one feature: fetched when it is shown. */
export function matrixRow({ at, head, width, cross, x, most, memory }, paint, parts) {
  const place = h("div", {})
  const pick = choice(
    shownMatrix,
    "kind",
    "Matrix",
    KINDS.map(kind => [kind, MATRICES[kind]]),
  )
  let feature = 0
  let shown = () => {}
  const draw = async () => {
    const kind = shownMatrix.get("kind")
    const fromMemory = cross && kind !== "query"
    const input = fromMemory ? memory[most] : x
    const waiting = h("p", { class: "quiet" }, "The matrix is being fetched.")
    place.replaceChildren(waiting)
    let found
    try {
      found = await parts(
        `model.${at}.${kind}_projection`,
        head * width,
        width,
        words => (waiting.textContent = words),
      )
    } catch ({ message }) {
      if (kind !== shownMatrix.get("kind")) return
      const again = h("button", { type: "button", onclick: draw }, "Ask again")
      place.replaceChildren(
        h("p", {}, `This part of ${MATRICES[kind]} did not come. ${message} The other steps do not need it.`),
        again,
      )
      return
    }
    if (kind !== shownMatrix.get("kind")) return // another one has been asked for meanwhile
    const canvas = canvasFor(input.length, width)
    canvas.classList.add("matrix")
    paint(canvas, found.matrix, scaleOf(found.matrix))
    const row = h("i", { class: "row" })
    const [sum, bias, result] = [number(), number(), number()]
    const [products, index] = [h("div", {}), h("span", {})]
    place.replaceChildren(
      h("p", {}, `Head ${head + 1}'s ${width} rows of ${MATRICES[kind]}; the row of feature `, index, " is framed."),
      h("div", { class: `strip ${kind} tall` }, canvas, row),
      h("p", {}, `That row × ${fromMemory ? "the memory" : "x"}, number by number, and all ${input.length} added up:`),
      products,
      h("p", {}, ...phrase`${sum} + bias ${bias} = ${result}, that feature of the ${kind}.`),
    )
    shown = at => {
      const terms = input.map((entry, index) => entry * found.matrix[at * input.length + index])
      const total = terms.reduce((one, other) => one + other, 0)
      products.replaceChildren(stripOf(terms, scaleOf(terms), paint, "", false))
      row.style = `--row: ${at / width}; --tall: ${1 / width}`
      index.textContent = at + 1
      show(sum, total, 2)
      show(bias, found.bias[at], 2)
      show(result, total + found.bias[at], 2)
    }
    shown(feature)
  }
  pick.update()
  pick.node.addEventListener("change", draw)
  draw()
  const read = at => {
    feature = at
    shown(at)
  }
  return { node: h("div", {}, pick.node, place), read }
}

export const MATRIX_LOOK = `
.tall { height: 96px }
.matrix { height: 100% }
.strip i.row { background: none; border: 1px solid var(--bbb-ink); height: max(calc(var(--tall) * 100%), 5px); left: 0; margin-top: -1px;
  top: calc(var(--row) * 100%); width: 100% }
`
