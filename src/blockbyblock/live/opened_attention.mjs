// An attention, opened, in four steps: the projections of one head, its scores, its weighted sum, and all heads together.

import { choice, dot, h, number, show, softmax, store } from "./figure.mjs"
import { streamBefore, streamAfter } from "./places.mjs"
import { bar, fixed, legend, quoted, sheet } from "./sheet.mjs"
import { canvasFor, scaleOf } from "./strips.mjs"

const KINDS = ["query", "key", "value"]

/** The view of one step; see opened.mjs. */
export function openedAttention(passage, chosen, paint, parts) {
  const { tensors, heads, pieces } = passage
  const { at, stack, layer, part, head, token } = chosen
  const cross = part === "cross_attention"
  const own = streamBefore(stack, layer, part)
  const looked = cross ? passage.source : chosen.ids
  const names = looked.map(id => pieces.get(id))
  const width = tensors[`${at}.query_projection`][token].length / heads
  const slice = (kind, position) =>
    tensors[`${at}.${kind}_projection`][position].subarray(head * width, (head + 1) * width)
  const seen = tensors[`${at}.weights`][token].length / heads // a decoder's token looks back only
  const weights = tensors[`${at}.weights`][token].subarray(head * seen, (head + 1) * seen)
  const most = weights.indexOf(weights.reduce((one, other) => Math.max(one, other)))
  const memory = cross
    ? streamAfter(
        `encoder.layers.${Math.max(...Object.keys(tensors).map(name => Number(/^encoder\.layers\.(\d+)/.exec(name)?.[1] ?? 0)))}.feed_forward`,
      )
    : own
  const all = {
    ...chosen,
    cross,
    names,
    width,
    slice,
    seen,
    weights,
    most,
    paint,
    x: tensors[own][token],
    memory: tensors[memory],
  }
  return { projections, scores, sum, concat }[chosen.step](passage, all, parts)
}

/** Which matrix of a head is shown; kept while the reader goes from token to token. */
const shownMatrix = store({ kind: "query" })

function projections({ size }, all, parts) {
  const { at, piece, head, width, slice, token, cross, names, most, memory, x, paint } = all
  const from = kind => (kind === "query" || !cross ? token : most)
  const vectors = Object.fromEntries(KINDS.map(kind => [kind, slice(kind, from(kind))]))
  const scale = scaleOf(...Object.values(vectors))
  const table = sheet(
    `What head ${head + 1} makes of it`,
    ["", `${width} features`],
    KINDS.map(kind => ({
      name: kind === "query" || !cross ? kind : h("span", {}, `${kind} of `, quoted(names[most])),
      vector: vectors[kind],
      kind,
    })),
    scale,
    paint,
  )
  const place = h("div", {})
  let feature = 0
  let drawn = () => {}
  let newest = 0
  const draw = async () => {
    const job = ++newest // a matrix that comes late does not take the place of the one that was asked for after it
    const kind = shownMatrix.get("kind")
    const input = kind === "query" || !cross ? x : memory[most]
    place.replaceChildren(h("p", { class: "quiet" }, "The matrix is being fetched."))
    let found
    try {
      found = await parts(`model.${at}.${kind}_projection`, head * width, width)
    } catch ({ message }) {
      if (job === newest) place.replaceChildren(h("p", {}, `${message} The vectors above are there.`))
      return
    }
    if (job !== newest) return
    const canvas = canvasFor(size, width)
    canvas.classList.add("matrix")
    paint(canvas, found.matrix, scaleOf(found.matrix))
    const row = h("i", { class: "row" })
    const [sum, bias, result] = [number(), number(), number()]
    const products = h("div", { class: "strip" })
    const strips = canvasFor(size)
    products.append(strips)
    const words = h("p", {})
    place.replaceChildren(
      h(
        "p",
        { class: "quiet" },
        `Head ${head + 1}'s ${width} rows of the ${kind} matrix, ${size} columns; the row of the feature is marked.`,
      ),
      h("div", { class: `strip ${kind} tall` }, canvas, row),
      h("p", { class: "quiet" }, "That row times x, feature by feature:"),
      products,
      words,
    )
    drawn = at => {
      const terms = input.map((entry, index) => entry * found.matrix[at * size + index])
      paint(strips, terms, scaleOf(terms))
      row.style = `--row: ${at / width}; --tall: ${1 / width}`
      const total = terms.reduce((one, other) => one + other, 0)
      show(sum, total, 2)
      show(bias, found.bias[at], 2)
      show(result, total + found.bias[at], 2)
      words.replaceChildren(
        "Their sum ",
        sum,
        ", plus the bias ",
        bias,
        ", is feature ",
        String(at + 1),
        ` of the ${kind}: `,
        result,
        ".",
      )
    }
    drawn(feature)
  }
  const pick = choice(
    shownMatrix,
    "kind",
    "Matrix",
    KINDS.map(kind => [kind, { query: "W_Q", key: "W_K", value: "W_V" }[kind]]),
  )
  pick.update()
  pick.node.addEventListener("change", draw)
  draw()
  const whole = sheet(
    cross ? "From the decoder" : "Of the residual stream",
    ["", `${size} features`],
    [{ name: "x", vector: x, kind: all.stack }],
    scaleOf(x),
    paint,
    { marked: false },
  )
  const sentence = cross
    ? [
        "The query comes from the decoder, at ",
        quoted(piece),
        ". Keys and values come from the encoder: each source token has one, here ",
        quoted(names[most]),
        ".",
      ]
    : [
        "Three matrices turn the vector of ",
        quoted(piece),
        ` into a query, a key and a value of ${width} features each, for head ${head + 1}.`,
      ]
  const read = at => {
    feature = at
    table.read(at)
    drawn(at)
  }
  return { sentence, nodes: [whole.node, legend(scale), table.node, pick.node, place], features: width, read }
}

function scores(passage, all) {
  const { piece, head, width, slice, token, names, seen, weights, most, paint, cross, stack } = all
  const query = slice("query", token)
  const rows = names.map((name, position) => {
    if (position >= seen) return { name: quoted(name), quiet: true, hidden: true }
    const key = slice("key", position)
    return {
      name: quoted(name),
      key,
      products: query.map((entry, index) => entry * key[index]),
      score: dot([...query], [...key]),
    }
  })
  const scale = scaleOf(query, ...rows.flatMap(({ key }) => (key ? [key] : [])))
  const large = scaleOf(...rows.flatMap(({ products }) => (products ? [products] : [])))
  const top = sheet(
    "The query",
    ["", `${width} features`],
    [{ name: quoted(piece), vector: query, kind: "query" }],
    scale,
    paint,
  )
  const lines = rows.flatMap(({ name, key, products, score, hidden }, position) =>
    hidden
      ? [{ name, quiet: true, cells: ["hidden", "−∞", bar(0)] }]
      : [
          { name, vector: key, kind: "key", label: position, cells: ["", "", ""] },
          {
            name: h("span", { class: "times" }, "× query"),
            vector: products,
            cells: [fixed(score, 1), fixed(score / Math.sqrt(width)), bar(weights[position])],
          },
        ],
  )
  const table = sheet(
    `Keys${cross ? ", from the encoder," : ""} and their products with the query`,
    ["token", "key, then products", "sum", `÷ √${width}`, "weight"],
    lines,
    scale,
    productsPainter(paint, rows, large),
    { chosen: most },
  )
  const masked = stack === "decoder" && !cross ? " What comes later is hidden by the mask." : ""
  const sentence = [
    quoted(piece),
    " looks most at ",
    quoted(names[most]),
    ", with ",
    fixed(weights[most], 3),
    ` of head ${head + 1}'s weight.${masked}`,
  ]
  return {
    sentence,
    nodes: [legend(scale), top.node, scrolled(table.node, "Keys and scores")],
    features: width,
    read: feature => [top, table].forEach(({ read }) => read(feature)),
  }
}

/** Products have a scale of their own: they are about the square of what is multiplied. */
function productsPainter(paint, rows, scale) {
  const products = new Set(rows.map(row => row.products))
  return (canvas, numbers, other) => paint(canvas, numbers, products.has(numbers) ? scale : other)
}

function sum(passage, all) {
  const { at, piece, head, width, slice, token, names, seen, weights, most, paint } = all
  const values = weights.map ? names.slice(0, seen).map((_, position) => slice("value", position)) : []
  const shares = values.map((value, position) => value.map(entry => entry * weights[position]))
  const total = passage.tensors[`${at}.concat`][token].subarray(head * width, (head + 1) * width)
  const scale = scaleOf(...values, total)
  const lines = values.flatMap((value, position) => [
    { name: quoted(names[position]), vector: value, kind: "value", label: position, cells: [""] },
    { name: h("span", { class: "times" }, "× weight"), vector: shares[position], cells: [bar(weights[position])] },
  ])
  lines.push({ name: "added up", vector: total, kind: "output", cells: [""] })
  const table = sheet(
    "Values, and what the weights leave of them",
    ["token", "value, then its share", "weight"],
    lines,
    scale,
    paint,
    { digits: 3, chosen: most },
  )
  const sentence = [
    `Head ${head + 1} hands `,
    quoted(piece),
    " a mixture of the values. ",
    quoted(names[most]),
    " gives the largest share, ",
    fixed(weights[most], 3),
    ".",
  ]
  return {
    sentence,
    nodes: [legend(scale), scrolled(table.node, "Values and shares")],
    features: width,
    read: table.read,
  }
}

function concat(passage, all) {
  const { at, piece, head, width, token, paint } = all
  const { heads, size, tensors } = passage
  const joined = tensors[`${at}.concat`][token]
  const out = tensors[`${at}.output_projection`][token]
  const scale = scaleOf(joined, out)
  const each = Array.from({ length: heads }, (_, index) => {
    const canvas = canvasFor(width)
    paint(canvas, joined.subarray(index * width, (index + 1) * width), scale)
    return h(
      "div",
      { class: "piece", "aria-current": index === head },
      h("span", {}, String(index + 1)),
      h("div", { class: "strip" }, canvas),
    )
  })
  const table = sheet(
    "One strip, and what the output matrix makes of it",
    ["", `${size} features`],
    [
      { name: "concat", vector: joined, kind: "output" },
      { name: "× W_O + bias", vector: out, kind: "output" },
    ],
    scale,
    paint,
    { digits: 3 },
  )
  const sentence = [
    `The ${heads} heads' sums for `,
    quoted(piece),
    " are laid side by side; one more matrix mixes them. This goes back to the residual stream.",
  ]
  return {
    sentence,
    nodes: [
      legend(scale),
      h(
        "div",
        { class: "pieces", role: "img", "aria-label": `${heads} pieces of ${width} features, one from each head` },
        ...each,
      ),
      table.node,
    ],
    features: size,
    read: table.read,
  }
}

function scrolled(node, label) {
  return h("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": label }, node)
}

export const OPENED_ATTENTION_LOOK = `
.tall { height: 96px }
.matrix { height: 100% }
.strip i.row { background: none; border: 1px solid var(--bbb-ink); height: max(calc(var(--tall) * 100%), 5px); left: 0; margin-top: -1px;
  top: calc(var(--row) * 100%); width: 100% }
.times { color: var(--bbb-muted); padding-left: 0.75rem }
.pieces { display: grid; gap: 0.25rem 0.5rem; grid-template-columns: repeat(4, 1fr) }
.piece span { font-size: 0.75rem }
.piece[aria-current="true"] { outline: 2px solid var(--bbb-accent); outline-offset: 1px }
.scrolled { max-height: 32rem; overflow: auto }
.scrolled thead th { background: var(--bbb-paper); position: sticky; top: 0; z-index: 1 }
`
