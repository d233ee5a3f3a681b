// The next token: the model's own logits, and what temperature, top-k and top-p make of them; then draws.

import { decimals, figure, h, hint, number, put, range, show, slider } from "./figure.mjs"

const ROWS = 10 // tokens with a row of their own; the others share one
const LISTED = 8 // of the others, those drawn last
const SETTINGS = ["step", "temperature", "top_k", "top_p"]

/**
 * What each token is drawn with. `groups` are [logit, count], largest logit first: tokens of one logit share a group.
 * Returns, for each group, how many of its tokens stay and the probability of one of them.
 */
export function sampling(groups, temperature, top_k, top_p) {
  let kept = groups.map(([logit, count]) => ({ each: Math.exp((logit - groups[0][0]) / temperature), count }))
  const cut = rest => {
    kept = kept.map(({ each, count }) => {
      const stay = Math.min(count, Math.max(0, rest.of(each)))
      rest.after(each, count)
      return { each, count: stay }
    })
    const total = kept.reduce((sum, { each, count }) => sum + each * count, 0)
    kept = kept.map(({ each, count }) => ({ each: each / total, count }))
  }
  let places = top_k || Infinity
  cut({ of: () => places, after: (_, count) => (places -= count) })
  if (top_p < 1) {
    let before = 0 // the share of the tokens that are more probable: one stays as long as this is below top_p
    cut({ of: each => Math.ceil((top_p - before) / each), after: (each, count) => (before += each * count) })
  }
  return kept
}

/** Everything that the figure shows, from the values of the model. */
function candidates(model) {
  const [step, temperature, top_k, top_p] = SETTINGS.map(key => model.get(key))
  const { tokens, logits, others } = model.get("steps")[step]
  const groups = [...logits.map(logit => [logit, 1]), ...others]
  const examples = others.map(([, , some]) => some)
  const own = sampling(groups, 1, 0, 1)
  const kept = sampling(groups, temperature, top_k, top_p)
  // the rows: the first tokens, and all others together
  const shares = list => {
    const each = list.map(({ each, count }) => each * count)
    return [...each.slice(0, ROWS), each.slice(ROWS).reduce((sum, share) => sum + share, 0)]
  }
  return {
    step, kept, examples,
    tokens: [...tokens, ...examples.flat()],
    own: shares(own),
    drawn: shares(kept),
    vocabulary: own.reduce((sum, { count }) => sum + count, 0),
    left: kept.reduce((sum, { count }) => sum + count, 0),
    entropy: kept.reduce((sum, { each, count }) => sum - (count ? count * each * Math.log(each) : 0), 0),
  }
}

/** Draw tokens: the place of each among all that have a text. Where a few stand for a group, one of them is drawn. */
function draw({ kept, examples }, times) {
  const named = kept.length - examples.length
  const before = group => named + examples.slice(0, group).flat().length
  return range(1, times).map(() => {
    let left = Math.random()
    const place = kept.findIndex(({ each, count }) => (left -= each * count) < 0)
    if (place < named) return Math.max(0, place) // below zero: rounding has left a crumb
    const some = examples[place - named].length
    const share = -left / (kept[place].each * kept[place].count) // how far into its group the draw has come, from 0 to 1
    return before(place - named) + Math.min(some - 1, Math.floor(share * some))
  })
}

/** A token to be read: its leading space is seen. */
function spelled(token) {
  const text = token.replace(/\n/g, "⏎")
  return text.startsWith(" ") ? [h("span", { class: "quiet" }, "␣"), text.slice(1)] : [text]
}

/** One row for each of the most probable tokens, and one for all others. */
function rows() {
  const lines = range(0, ROWS).map(() => {
    const [name, share, count] = [h("th", { scope: "row" }), number(), h("td", { class: "count" })]
    const [own, now] = ["own", "now"].map(kind => h("div", { class: kind }))
    const node = h("tr", {}, name, h("td", { class: "bars" }, own, now), h("td", {}, share), count)
    return { name, share, count, own, now, node }
  })
  const heads = ["token", "", "p", "drawn"].map(name => (name ? h("th", { scope: "col" }, name) : h("td", {})))
  const node = h(
    "table", {},
    h("thead", {}, h("tr", {}, ...heads)),
    h("tbody", {}, ...lines.map(line => line.node)),
  )
  const update = ({ tokens, own, drawn, vocabulary }, chosen) => {
    const longest = Math.max(...own, ...drawn)
    const counts = Array(ROWS + 1).fill(0)
    for (const place of chosen) counts[Math.min(place, ROWS)] += 1
    const last = chosen.length ? Math.min(chosen.at(-1), ROWS) : null
    lines.forEach((line, index) => {
      const named = index < ROWS
      line.name.replaceChildren(...(named ? spelled(tokens[index]) : [`${grouped(vocabulary - ROWS)} others`]))
      line.own.style.width = `${(100 * own[index]) / longest}%`
      line.now.style.width = `${(100 * drawn[index]) / longest}%`
      line.node.className = [drawn[index] ? "" : "out", index === last ? "last" : ""].join(" ")
      show(line.share, drawn[index])
      line.count.textContent = counts[index] || ""
    })
  }
  return { node, update }
}

/** A whole number with a comma before each three digits. */
function grouped(value) {
  return value.toLocaleString("en")
}

function build(model) {
  const choices = model.get("choices")
  const written = model.get("written")
  const settings = [
    slider(model, "temperature", "temperature", choices.temperature),
    slider(model, "top_k", "top-k", choices.top_k, value => (value ? grouped(value) : "all")),
    slider(model, "top_p", "top-p", choices.top_p, value => (value < 1 ? String(value) : "all")),
  ]
  const place = slider(model, "step", "token of the translation", range(0, written.length - 1), step => `${step + 1}`)
  const [before, next] = [h("span", {}), h("span", { class: "next" }, "?")]
  const [left, entropy, told] = [number(), number(), h("p", { class: "told" })]
  const distribution = rows()
  let found
  const more = times => put(model, "drawn", [...model.get("drawn"), ...draw(found, times)])
  const buttons = [[1, "draw a token"], [100, "draw 100"]].map(([times, label]) =>
    h("button", { type: "button", onclick: () => more(times) }, label),
  )
  const tail = h("p", { class: "tail" })
  const again = h("button", { type: "button", onclick: () => put(model, "drawn", []) }, "clear")
  const nodes = [
    hint("go to token 3, set the temperature to 2 and draw 100. What comes out of the tail? Cut it off with top-p."),
    h("div", { class: "controls" }, place.node),
    h("p", { class: "sentence" }, model.get("sentence"), " → ", before, next),
    h("div", { class: "controls" }, ...settings.map(({ node }) => node)),
    distribution.node,
    h("p", { class: "result" }, "outlined: the model's own; filled: what is drawn from. Can be drawn: ", left, " of ",
      h("span", { class: "vocabulary" }), " tokens; entropy ", entropy, " nats"),
    h("div", { class: "controls" }, ...buttons, again, told),
    tail,
  ]
  const vocabulary = nodes[5].querySelector(".vocabulary")
  let settled = SETTINGS.map(key => model.get(key)).join()
  const update = () => {
    const now = SETTINGS.map(key => model.get(key)).join()
    if (now !== settled) {
      settled = now // draws belong to the settings that they were made with
      if (model.get("drawn").length) put(model, "drawn", [])
    }
    found = candidates(model)
    const chosen = model.get("drawn")
    for (const { update } of [place, ...settings]) update()
    distribution.update(found, chosen)
    before.textContent = written.slice(0, found.step).join("")
    show(left, found.left, 0)
    left.textContent = grouped(found.left)
    vocabulary.textContent = grouped(found.vocabulary)
    show(entropy, found.entropy, 2)
    const last = chosen.length ? found.tokens[chosen.at(-1)] : ""
    const rare = [...new Set(chosen.filter(place => place >= ROWS).reverse())]
    const listed = rare.slice(0, LISTED).flatMap(place => [" ", h("q", {}, ...spelled(found.tokens[place]))])
    tail.replaceChildren(...(rare.length ? ["From the tail:", ...listed, rare.length > LISTED ? " …" : ""] : []))
    told.replaceChildren(...(chosen.length ? [`last of ${grouped(chosen.length)}: `, ...spelled(last)] : []))
    again.disabled = !chosen.length
    const [best] = found.tokens
    const drew = chosen.length ? ` Drawn last: ${last.trim()}.` : ""
    return `Can be drawn: ${grouped(found.left)}; ${best.trim()} with ${decimals(found.drawn[0], 2)}.${drew}`
  }
  return { nodes, update }
}

const look = `
.sentence { min-height: 2.8em }
thead td { border-bottom: 1px solid var(--bbb-line) }
.next { border: 1px solid var(--bbb-accent); border-radius: 0.2rem; margin-left: 0.3rem; padding: 0 0.35rem }
.controls .slider > :first-child { min-width: 5.5rem }
tbody th { max-width: 8rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; width: 8rem }
.bars { padding: 0; position: relative }
.own, .now { box-sizing: border-box; height: 0.95rem; left: 0; position: absolute; top: 0.3rem }
.own { border: 1.5px solid var(--bbb-muted) }
.now { background: var(--bbb-output); opacity: 0.75; transition: width 0.15s }
td:nth-child(3) { width: 3.5rem }
.count { width: 3rem }
.out th, .out td { color: var(--bbb-muted) }
.last th { font-weight: 700; text-decoration: underline }
.result { margin: 0.5rem 0 0 }
.told { flex: 1 0 100%; margin: 0; min-height: 1.4em }
.tail { margin: 0; min-height: 4.2em; overflow-wrap: anywhere }
@container (min-width: 36rem) { .sentence { min-height: 0 } .told { flex-basis: 12rem } .tail { min-height: 2.8em } }
`

export default figure({ name: "bbb-next-token", watch: [...SETTINGS, "drawn"], look, build })
