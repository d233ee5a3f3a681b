// Inside the Transformer: one real translation, every tensor of it, opened block by block. The same module is the figure
// and, once more, the worker that translates other sentences.

import { engine } from "./engine.mjs"
import { choice, figure, h, hint, put, turn } from "./figure.mjs"
import { flow, FLOW_LOOK } from "./flow.mjs"
import { opened, OPENED_LOOK } from "./opened.mjs"
import { OPENED_ATTENTION_LOOK } from "./opened_attention.mjs"
import { storedPassage } from "./passage.mjs"
import { chapterOf, placeOf, STEPS, titleOf } from "./places.mjs"
import { SHEET_LOOK } from "./sheet.mjs"
import { painter } from "./strips.mjs"
import { supply } from "./supply.mjs"
import { serve } from "./translation.mjs"
import { stopsOf } from "./walk.mjs"

const ROOT =
  globalThis.document && !import.meta.url.startsWith("blob:") ? new URL("../../book/", import.meta.url) : null

/** The sentence that is looked into, and the field for another one. */
function sentences(model, ask) {
  const { source, target } = model.get("languages")
  const size = (model.get("size") / 1e6).toFixed(1)
  const press = event => {
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return
    event.preventDefault()
    ask(field.value)
  }
  const field = h("input", {
    type: "text",
    lang: source[1],
    spellcheck: "false",
    autocomplete: "off",
    onkeydown: press,
    "aria-label": `${source[0]} sentence`,
  })
  const button = h("button", { type: "button", onclick: () => ask(field.value) })
  const written = h("strong", { lang: target[1] })
  const message = h("p", { class: "message", role: "alert" })
  const node = h(
    "div",
    { class: "asked" },
    h("div", { class: "typed" }, field, button, h("span", { role: "status" }, "→ ", written)),
    message,
  )
  const label = state => {
    button.disabled = state === "loading"
    button.textContent = {
      empty: `Load the model (${size} MB) for your own sentence`,
      loading: "Loading the model…",
      ready: "Translate",
    }[state]
  }
  return {
    node,
    label,
    say: words => (message.textContent = words),
    show: (text, translation) => {
      field.value = text
      written.textContent = translation
    },
  }
}

function build(model) {
  let passage = null // what is looked into
  let places = {} // where the model's matrices stand in its file
  let stops = []
  let state = model.send ? "ready" : "empty"
  const outside = supply(model, () => places)

  const asked = sentences(model, text => ask(text))
  const paint = painter(asked.node)
  const open = at => {
    const { stack } = placeOf(at)
    const was = placeOf(model.get("at")).stack
    const kept = stack === was ? model.get("token") : 0
    set({ at, token: kept, stop: 0 })
  }
  const choose = (stack, token) => {
    const at =
      placeOf(model.get("at")).stack === stack
        ? model.get("at")
        : `${stack === "encoder" ? "source" : "target"}_embedding`
    set({ at, token, stop: 0 })
  }
  const map = flow(open, choose, paint)

  const step = choice(
    model,
    "step",
    "Step",
    STEPS.map(([name, label]) => [name, label]),
  )
  const head = h("select", { onchange: () => put(model, "head", Number(head.value)) })
  const heads = h("label", { class: "tick" }, "Head ", head)
  const feature = h("input", {
    type: "range",
    min: 0,
    step: 1,
    value: 0,
    oninput: () => put(model, "feature", Number(feature.value)),
  })
  const at = h("span", { class: "shown" })
  const features = h("label", { class: "slider" }, "Feature ", feature, at)
  const title = h("p", { class: "title" })
  const sentence = h("p", { class: "sentence" })
  const link = h("p", { class: "quiet chapter" })
  const body = h("div", { class: "body" })
  const point = event => {
    const strip = event
      .composedPath()
      .find(node => node.classList?.contains("strip") && !node.classList.contains("tall"))
    if (!strip || !view) return
    const { left, width } = strip.getBoundingClientRect()
    const place = Math.min(Math.max(Math.floor(((event.clientX - left) / width) * view.features), 0), view.features - 1)
    if (place !== model.get("feature") && strip.querySelector("i")) put(model, "feature", place)
  }
  body.addEventListener("pointermove", point)
  body.addEventListener("click", point)

  const counter = h("span", { class: "shown" })
  const back = h("button", { type: "button", onclick: () => walk(-1) }, "← Back")
  const next = h("button", { type: "button", onclick: () => walk(1) }, "Follow a token →")
  const said = h("p", { class: "said" })
  const tour = h(
    "section",
    { class: "tour", "aria-label": "The walk" },
    h("div", { class: "controls" }, back, next, counter),
    said,
  )
  tour.addEventListener("keydown", event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    if (event.target.closest("a")) next.focus() // the link gives way to another
    walk(by)
  })
  const chapter = (number, words) => {
    const [name, file] = model.get("chapters")[number] ?? [`Chapter ${number}`, null]
    const text = `${words} ${number}: ${name}`
    return ROOT && file ? h("a", { href: new URL(file.replace(".ipynb", ".html"), ROOT).href }, text) : text
  }

  const block = h(
    "section",
    { class: "opened", "aria-label": "The opened block" },
    title,
    sentence,
    h("div", { class: "controls" }, step.node, heads, features),
    body,
    link,
  )
  const scene = h("div", { class: "scene", "aria-busy": "true" }, map.node, h("div", { class: "beside" }, tour, block))
  const nodes = [
    hint("follow a token with the button, or open a block of the map. Then choose another token."),
    asked.node,
    scene,
  ]

  let view = null
  let drawn = "" // what the body shows
  let held = false
  const set = values => {
    const changed = Object.entries(values).filter(([key, value]) => model.get(key) !== value)
    changed.forEach(([key, value], index) => {
      held = index < changed.length - 1 // nothing is drawn, or fetched, of what is half set
      model.set(key, value)
    })
    if (changed.length) model.save_changes()
  }
  const walk = by => {
    if (!stops.length) return
    const stop = Math.min(Math.max(model.get("stop") + by, 1), stops.length)
    set({ ...placeAt(stop), stop })
  }
  const placeAt = stop => {
    const { at, step, token, head } = stops[stop - 1]
    return { at, step, token, head }
  }

  const enter = found => {
    passage = found
    places = found.places ?? places
    stops = stopsOf(found)
    map.draw(found)
    asked.show(found.text, found.translation)
    asked.say("")
    head.replaceChildren(
      ...Array.from({ length: found.heads }, (_, index) => h("option", { value: index }, String(index + 1))),
    )
    scene.setAttribute("aria-busy", "false")
    drawn = ""
    put(model, "translation", found.translation)
    if (model.get("stop")) set(placeAt(model.get("stop")))
    redraw()
  }
  const remote = engine(model, {
    progress: () => {},
    ready: () => {
      state = "ready"
      asked.label(state)
      begin(waiting)
    },
    passage: ({ passage: found }) => (found ? enter(found) : asked.say("Type a sentence.")),
    failed: ({ message }) => {
      if (state === "loading") state = "empty"
      asked.label(state)
      asked.say(message)
    },
  })
  let waiting = ""
  const ask = text => {
    if (!text.trim()) return asked.say("Type a sentence.")
    waiting = text
    asked.say("")
    if (state === "ready") begin(text)
    else if (state === "empty") {
      state = "loading"
      asked.label(state)
      remote.load()
    }
  }
  const begin = text => {
    if (model.send) return fetchTrace(text) // in a notebook Python translates
    newest++
    remote.inside(text)
  }
  let newest = 0 // what was asked for last is shown, whatever comes last
  let wanted = null
  const fetchTrace = async text => {
    const job = ++newest
    wanted = text
    try {
      const found = storedPassage(await outside.trace(text))
      if (job === newest) enter(found)
    } catch ({ message }) {
      if (job === newest) asked.say(message)
    }
  }
  const seen = new IntersectionObserver(
    entries => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return
      seen.disconnect()
      fetchTrace(model.get("text"))
    },
    { rootMargin: "200px" },
  )
  seen.observe(scene)
  const renewed = () => model.get("text") === wanted || fetchTrace(model.get("text")) // Python has set another sentence
  model.on("change:trace", renewed)
  const follow = () => model.get("stop") && stops.length && set(placeAt(model.get("stop"))) // Python has set the stop
  model.on("change:stop", follow)

  asked.label(state)
  asked.show(model.get("text"), model.get("translation"))
  let words = ""
  const redraw = () => {
    if (!passage || held) return words
    const place = model.get("at")
    const { stack, part, norm } = placeOf(place)
    const token = Math.min(model.get("token"), passage[stack === "encoder" ? "source" : "read"].length - 1)
    const attention = part.endsWith("attention") && !norm
    const chosen = { at: place, step: model.get("step"), token, head: Math.min(model.get("head"), passage.heads - 1) }
    const key = JSON.stringify(chosen)
    if (key !== drawn) {
      drawn = key
      view = opened(passage, chosen, paint, outside.rows)
      body.replaceChildren(...view.nodes)
      sentence.replaceChildren(...view.sentence)
      title.textContent = titleOf(place)
      link.replaceChildren(chapter(chapterOf(place, chosen.step), "Built in chapter"))
      map.update(chosen)
      step.update()
      step.node.hidden = heads.hidden = !attention
      head.value = chosen.head
      feature.max = view.features - 1
    }
    const shown = Math.min(model.get("feature"), view.features - 1)
    feature.value = shown
    at.textContent = `${shown + 1} of ${view.features}`
    feature.setAttribute("aria-valuetext", at.textContent)
    body.style.setProperty("--mark", (shown + 0.5) / view.features)
    view.read(shown)
    const stop = model.get("stop")
    turn(back, { "aria-disabled": stop < 2 }) // and not disabled: that would take the focus, and the arrow keys with it
    turn(next, { "aria-disabled": stop === stops.length })
    next.textContent = stop ? "Next →" : "Follow a token →"
    counter.textContent = stop ? `${stop} of ${stops.length}` : ""
    if (stop) {
      const { say, chapter: number } = stops[stop - 1]
      said.replaceChildren(say(), " ", chapter(number, "Chapter"))
    } else said.replaceChildren(`${stops.length} stops, from a token of the source to the word that it becomes.`)
    words = stop ? `${counter.textContent}. ${said.textContent}` : `${title.textContent}. ${sentence.textContent}`
    return words
  }
  const stop = () => {
    seen.disconnect()
    remote.stop()
    model.off("change:trace", renewed)
    model.off("change:stop", follow)
  }
  return { nodes, update: redraw, stop }
}

const look = `
.scene { display: grid; gap: 1rem 1.5rem; grid-template-columns: minmax(0, 1fr) }
@container (min-width: 44rem) { .scene { grid-template-columns: 344px minmax(0, 1fr) } }
.flow { max-width: 100%; overflow-x: auto; padding: 3px 3px 8px }
.asked { margin-bottom: 0.5rem }
.typed { align-items: center; display: flex; flex-wrap: wrap; gap: 0.35rem 0.75rem }
.typed input { flex: 1 1 16rem; font-size: 1rem; min-width: 0; padding: 0.2rem 0.5rem }
.message { font-weight: 600; margin: 0.25rem 0; overflow-wrap: anywhere }
.typed strong { overflow-wrap: anywhere }
.title { font-size: 1.0625rem; font-weight: 700; margin: 0.5rem 0 0.25rem }
.tour { border-left: 3px solid var(--bbb-accent); padding-left: 0.75rem }
.tour .controls { margin: 0 0 0.25rem }
.said { margin: 0; min-height: 4.2em }
.sentence { min-height: 2.8em }
.chapter { margin: 0.25rem 0 0 }
a { color: var(--bbb-accent) }
button[aria-disabled="true"] { color: var(--bbb-muted); cursor: default }
select { background: var(--bbb-paper); border: 1px solid var(--bbb-line); border-radius: 0.25rem; color: var(--bbb-ink); font: inherit; min-height: 1.75rem }
.opened .controls { gap: 0.1rem 1rem; margin: 0.25rem 0 }
[hidden] { display: none !important }
`

export default globalThis.document
  ? figure({
      name: "bbb-inside",
      watch: ["at", "step", "token", "head", "feature", "stop"],
      look: FLOW_LOOK + SHEET_LOOK + OPENED_LOOK + OPENED_ATTENTION_LOOK + look,
      build,
    })
  : serve(globalThis)
