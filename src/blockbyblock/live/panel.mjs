// The opened block of a figure: its heading, what is chosen in it, and its view.

import { choice, h, put } from "./figure.mjs"
import { opened } from "./opened.mjs"
import { placeOf, STEPS, titleOf } from "./places.mjs"
import { salvage } from "./strips.mjs"

/**
 * The panel of a model's values `step`, `head` and `feature`; `parts` promises rows of a matrix.
 *
 * `update(passage, chosen, link)` opens {at, step, token, head} and shows the numbers at the feature; `link` stands below.
 * It returns what a screen reader is told.
 */
export function panel(model, paint, parts) {
  const step = choice(model, "step", "Step", STEPS)
  const head = h("select", { onchange: () => put(model, "head", Number(head.value)) })
  const heads = h("label", { class: "tick" }, "Head ", head)
  const slide = () => put(model, "feature", Number(feature.value))
  const feature = h("input", { type: "range", min: 0, step: 1, value: 0, oninput: slide })
  const shown = h("span", { class: "shown" })
  const title = h("p", { class: "title" })
  const sentence = h("p", { class: "sentence" })
  const body = h("div", { class: "body" })
  const below = h("p", { class: "quiet chapter" })
  const controls = h(
    "div",
    { class: "controls" },
    step.node,
    heads,
    h("label", { class: "slider" }, "Feature ", feature, shown),
  )
  const node = h(
    "section",
    { class: "opened", "aria-label": "The opened block" },
    title,
    sentence,
    controls,
    body,
    below,
  )
  let view
  let drawn // what the view shows

  const point = event => {
    const strip = event.composedPath().find(each => each.classList?.contains("strip"))
    if (!strip?.querySelector("i:not(.row)")) return
    const { left, width } = strip.getBoundingClientRect()
    const place = Math.floor(((event.clientX - left) / width) * view.features)
    const within = Math.min(Math.max(place, 0), view.features - 1)
    if (within !== model.get("feature")) put(model, "feature", within)
  }
  body.addEventListener("pointermove", point)
  body.addEventListener("click", point)

  const open = (passage, chosen) => {
    const { part, norm } = placeOf(chosen.at)
    salvage(body)
    view = opened(passage, chosen, paint, parts)
    body.replaceChildren(...view.nodes)
    sentence.replaceChildren(...view.sentence)
    title.textContent = titleOf(chosen.at)
    const numbers = Array.from({ length: passage.heads }, (_, index) =>
      h("option", { value: index }, String(index + 1)),
    )
    if (head.options.length !== passage.heads) head.replaceChildren(...numbers)
    head.value = chosen.head
    step.update()
    step.node.hidden = heads.hidden = norm || !part.endsWith("attention")
    feature.max = view.features - 1
  }
  const update = (passage, chosen, link) => {
    const key = JSON.stringify(chosen)
    if (drawn?.passage !== passage || drawn.key !== key) open(passage, chosen)
    drawn = { passage, key }
    const place = Math.min(model.get("feature"), view.features - 1)
    feature.value = place
    shown.textContent = `${place + 1} of ${view.features}`
    feature.setAttribute("aria-valuetext", shown.textContent)
    body.style.setProperty("--mark", (place + 0.5) / view.features)
    view.read(place)
    below.replaceChildren(link)
    return `${title.textContent}. ${sentence.textContent}`
  }
  return { node, update }
}

export const PANEL_LOOK = `
.opened .title { font-size: 1.0625rem; font-weight: 700; margin: 0.5rem 0 0.25rem }
.sentence { min-height: 2.8em }
.chapter { margin: 0.25rem 0 0 }
.opened .controls { gap: 0.1rem 1rem; margin: 0.25rem 0 }
select { background: var(--bbb-paper); border: 1px solid var(--bbb-line); border-radius: 0.25rem; color: var(--bbb-ink);
  font: inherit; min-height: 1.75rem }
`
