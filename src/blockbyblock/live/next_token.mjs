// The next token: the model's own logits, and what temperature, top-k and top-p make of them; then draws.

import { distribution, DISTRIBUTION_LOOK, drawable, drawGroup, ROWS, SAMPLING, samplingSliders } from "./distribution.mjs"
import { grouped, spelled, tokenRows } from "./distribution.mjs"
import { decimals, figure, h, hint, put, range, slider } from "./figure.mjs"

const LISTED = 8 // of the others, those drawn last
const SETTINGS = ["step", ...SAMPLING]

/** Everything that the figure shows, from the values of the model. */
function candidates(model) {
  const step = model.get("step")
  const { tokens, logits, others } = model.get("steps")[step]
  const groups = [...logits.map(logit => [logit, 1]), ...others]
  const examples = others.map(([, , some]) => some)
  const shown = distribution(groups, SAMPLING.map(key => model.get(key)))
  return { ...shown, step, examples, tokens: [...tokens, ...examples.flat()] }
}

/** Draw tokens: the place of each among all that have a text. Where a few stand for a group, one of them is drawn. */
function draw({ kept, examples }, times) {
  const named = kept.length - examples.length
  const before = group => named + examples.slice(0, group).flat().length
  return range(1, times).map(() => {
    const { place, share } = drawGroup(kept)
    if (place < named) return place
    const some = examples[place - named].length
    return before(place - named) + Math.min(some - 1, Math.floor(share * some))
  })
}

function build(model) {
  const written = model.get("written")
  const settings = samplingSliders(model)
  const place = slider(model, "step", "token of the translation", range(0, written.length - 1), step => `${step + 1}`)
  const [before, next] = [h("span", {}), h("span", { class: "next" }, "?")]
  const told = h("p", { class: "told" })
  const [table, result] = [tokenRows(), drawable()]
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
    settings.node,
    table.node,
    result.node,
    h("div", { class: "controls" }, ...buttons, again, told),
    tail,
  ]
  let settled = SETTINGS.map(key => model.get(key)).join()
  const update = () => {
    const now = SETTINGS.map(key => model.get(key)).join()
    if (now !== settled) {
      settled = now // draws belong to the settings that they were made with
      if (model.get("drawn").length) put(model, "drawn", [])
    }
    found = candidates(model)
    const chosen = model.get("drawn")
    for (const { update } of [place, settings]) update()
    table.update(found, chosen)
    result.update(found)
    before.textContent = written.slice(0, found.step).join("")
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

const look = `${DISTRIBUTION_LOOK}
.sentence { min-height: 2.8em }
.told { flex: 1 0 100%; margin: 0; min-height: 1.4em }
.tail { margin: 0; min-height: 4.2em; overflow-wrap: anywhere }
@container (min-width: 36rem) { .sentence { min-height: 0 } .told { flex-basis: 12rem } .tail { min-height: 2.8em } }
`

export default figure({ name: "bbb-next-token", watch: [...SETTINGS, "drawn"], look, build })
