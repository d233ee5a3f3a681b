// The distribution of the next token: what temperature, top-k and top-p make of a model's logits, and its table.

import { h, number, range, show, slider } from "./figure.mjs"

export const ROWS = 10 // tokens with a row of their own; the others share one
export const SAMPLING = ["temperature", "top_k", "top_p"]

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

/**
 * What is shown of tokens at these settings: how many tokens there are and how many may be drawn, with what, and the shares
 * of the first rows and of all others together, the model's own and those that are drawn with.
 */
export function distribution(groups, settings) {
  const own = sampling(groups, 1, 0, 1)
  const kept = sampling(groups, ...settings)
  const shares = list => {
    const each = list.map(({ each, count }) => each * count)
    return [...each.slice(0, ROWS), each.slice(ROWS).reduce((sum, share) => sum + share, 0)]
  }
  return {
    kept,
    own: shares(own),
    drawn: shares(kept),
    vocabulary: own.reduce((sum, { count }) => sum + count, 0),
    left: kept.reduce((sum, { count }) => sum + count, 0),
    entropy: kept.reduce((sum, { each, count }) => sum - (count ? count * each * Math.log(each) : 0), 0),
  }
}

/** Draw a group: its place, and how far into it the draw has come, from 0 to 1. */
export function drawGroup(kept) {
  let left = Math.random()
  const found = kept.findIndex(({ each, count }) => (left -= each * count) < 0)
  const place = Math.max(0, found) // below zero: rounding has left a crumb
  return { place, share: found < 0 ? 0 : -left / (kept[place].each * kept[place].count) }
}

/** The three sliders of sampling, in one line; the figure's `choices` are what they pass through. */
export function samplingSliders(model) {
  const choices = model.get("choices")
  const sliders = [
    slider(model, "temperature", "temperature", choices.temperature),
    slider(model, "top_k", "top-k", choices.top_k, value => (value ? grouped(value) : "all")),
    slider(model, "top_p", "top-p", choices.top_p, value => (value < 1 ? String(value) : "all")),
  ]
  return {
    node: h("div", { class: "controls" }, ...sliders.map(({ node }) => node)),
    update: () => sliders.forEach(({ update }) => update()),
  }
}

/** What may be drawn, in a line below the table. */
export function drawable() {
  const [left, entropy, vocabulary] = [number(), number(), h("span", { class: "vocabulary" })]
  const node = h("p", { class: "result" }, "outlined: the model's own; filled: what is drawn from. Can be drawn: ", left,
    " of ", vocabulary, " tokens; entropy ", entropy, " nats")
  const update = found => {
    show(left, found.left, 0)
    left.textContent = grouped(found.left)
    vocabulary.textContent = grouped(found.vocabulary)
    show(entropy, found.entropy, 2)
  }
  return { node, update }
}

/** A token to be read: its leading space is seen. */
export function spelled(token) {
  const text = token.replace(/\n/g, "⏎")
  return text.startsWith(" ") ? [h("span", { class: "quiet" }, "␣"), text.slice(1)] : [text]
}

/**
 * A row for each of the most probable tokens, and one for all others. `choose(place)`, if it is given, makes each token a
 * button; otherwise a column counts what was drawn.
 */
export function tokenRows(choose) {
  const lines = range(0, ROWS).map(index => {
    const [name, share, count] = [h("th", { scope: "row" }), number(), h("td", { class: "count" })]
    const [own, now] = ["own", "now"].map(kind => h("div", { class: kind }))
    const token = choose && index < ROWS ? h("button", { type: "button", onclick: () => choose(index) }) : name
    if (token !== name) name.append(token)
    const cells = [name, h("td", { class: "bars" }, own, now), h("td", {}, share), ...(choose ? [] : [count])]
    return { token, share, count, own, now, node: h("tr", {}, ...cells) }
  })
  const heads = ["token", "", "p", ...(choose ? [] : ["drawn"])]
  const node = h(
    "table", { class: "tokens" },
    h("thead", {}, h("tr", {}, ...heads.map(name => (name ? h("th", { scope: "col" }, name) : h("td", {}))))),
    h("tbody", {}, ...lines.map(line => line.node)),
  )
  const update = ({ tokens, own, drawn, vocabulary }, chosen = []) => {
    const longest = Math.max(...own, ...drawn)
    const counts = Array(ROWS + 1).fill(0)
    for (const place of chosen) counts[Math.min(place, ROWS)] += 1
    const last = chosen.length ? Math.min(chosen.at(-1), ROWS) : null
    lines.forEach((line, index) => {
      line.token.replaceChildren(...(index < ROWS ? spelled(tokens[index]) : [`${grouped(vocabulary - ROWS)} others`]))
      line.own.style.width = `${(100 * own[index]) / longest}%`
      line.now.style.width = `${(100 * drawn[index]) / longest}%`
      line.node.className = [drawn[index] ? "" : "out", index === last ? "last" : ""].join(" ")
      show(line.share, drawn[index])
      line.count.textContent = counts[index] || ""
    })
  }
  return { node, update, buttons: choose ? lines.slice(0, ROWS).map(({ token }) => token) : [] }
}

/** A whole number with a comma before each three digits. */
export function grouped(value) {
  return value.toLocaleString("en")
}

export const DISTRIBUTION_LOOK = `
thead td { border-bottom: 1px solid var(--bbb-line) }
.next { border: 1px solid var(--bbb-accent); border-radius: 0.2rem; margin-left: 0.3rem; padding: 0 0.35rem }
.controls .slider > :first-child { min-width: 5.5rem }
.tokens tbody th { max-width: 8rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; width: 8rem }
.bars { padding: 0; position: relative }
.own, .now { box-sizing: border-box; height: 0.95rem; left: 0; position: absolute; top: calc(50% - 0.475rem) }
.own { border: 1.5px solid var(--bbb-muted) }
.now { background: var(--bbb-output); opacity: 0.75; transition: width 0.15s }
.tokens td:nth-child(3) { width: 3.5rem }
.count { width: 3rem }
.out th, .out td { color: var(--bbb-muted) }
.last th { font-weight: 700; text-decoration: underline }
.result { margin: 0.5rem 0 0 }
`
