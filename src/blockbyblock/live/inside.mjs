// Inside the Transformer: one real translation, every tensor of it, opened block by block. The same module is the figure
// and, once more, the worker that translates other sentences.

import { apart, APART_LOOK } from "./apart.mjs"
import { ASKED_LOOK, sentences } from "./asked.mjs"
import { engine } from "./engine.mjs"
import { figure, h, hint, put } from "./figure.mjs"
import { flow, FLOW_LOOK } from "./flow.mjs"
import { OPENED_LOOK } from "./opened.mjs"
import { LOADING_LOOK, modelNotes } from "./loading.mjs"
import { looksOf, OPENED_ATTENTION_LOOK } from "./opened_attention.mjs"
import { panel, PANEL_LOOK } from "./panel.mjs"
import { storedPassage } from "./passage.mjs"
import { chapterOf, placeOf } from "./places.mjs"
import { SHEET_LOOK } from "./sheet.mjs"
import { painter } from "./strips.mjs"
import { supply } from "./supply.mjs"
import { tour, TOUR_LOOK } from "./tour.mjs"
import { translation } from "./translation.mjs"
import { walkThrough } from "./walk.mjs"
import { serve } from "./worker.mjs"

const ROOT =
  globalThis.document && !import.meta.url.startsWith("blob:") ? new URL("../../book/", import.meta.url) : null

function build(model) {
  let passage = null // what is looked into
  let places = {} // where the model's matrices stand in its file
  let walked = { stops: [] }
  let held = false
  let said = ""
  const outside = supply(model, () => places)

  const chapter = (words, number) => {
    const [name, file] = model.get("chapters")[number] ?? [`Chapter ${number}`, null]
    const text = `${words} ${number}: ${name}`
    return ROOT && file ? h("a", { href: new URL(file.replace(".ipynb", ".html"), ROOT).href }, text) : text
  }
  const set = values => {
    const changed = Object.entries(values).filter(([key, value]) => model.get(key) !== value)
    changed.forEach(([key, value], index) => {
      held = index < changed.length - 1 // nothing is drawn, or fetched, of what is half set
      model.set(key, value)
    })
    if (changed.length) model.save_changes()
  }
  const stackNow = () => placeOf(model.get("at")).stack
  const open = at => {
    set({ at, token: placeOf(at).stack === stackNow() ? model.get("token") : 0 })
    ways.reveal()
  }
  const choose = (stack, token) => {
    const beginning = stack === "encoder" ? "source_embedding" : "target_embedding"
    set({ at: stack === stackNow() ? model.get("at") : beginning, token })
  }
  const stand = stop => {
    const { at, step, token, head } = walked.stops[stop - 1]
    set({ at, step, token, head, stop })
  }
  /** Whether something else than the stop is looked at, whoever has turned to it: a reader, or Python. */
  const hasLeft = () => {
    const stop = walked.stops[model.get("stop") - 1]
    if (!stop) return false
    const kept = placeOf(stop.at).part.endsWith("attention") && !placeOf(stop.at).norm ? ["step", "head"] : []
    return ["at", "token", ...kept].some(key => model.get(key) !== stop[key])
  }
  const walk = by => {
    const stop = model.get("stop") + (hasLeft() ? 0 : by)
    if (passage) stand(Math.min(Math.max(stop, 1), walked.stops.length))
  }

  const asked = sentences(model, text => source.ask(text))
  const paint = painter(asked.node)
  const [map, block] = [flow(open, choose, paint), panel(model, paint, outside.rows)]
  const ways = apart(map.node, block.node, () => bar.node)
  const bar = tour(walk, ways.button)
  const scene = h("div", { class: "scene", "aria-busy": "true" }, bar.node, map.node, block.node)
  const nodes = [
    hint("follow a token, or open a box or a picture of the map. Then choose another token."),
    asked.node,
    scene,
    ...modelNotes(model),
  ]

  const enter = found => {
    const stays = !passage || !hasLeft() // on the walk, if it has begun
    passage = found
    places = found.places ?? places
    walked = walkThrough(found)
    map.draw(found)
    asked.show(found.text, found.translation)
    asked.say("")
    scene.setAttribute("aria-busy", "false")
    put(model, "translation", found.translation)
    if (model.get("stop") && stays) stand(Math.min(model.get("stop"), walked.stops.length))
    update()
  }
  const source = translations(model, outside, { enter, asked, scene })

  asked.show(model.get("text"), model.get("translation"))
  const update = () => {
    if (!passage || held) return said
    const [at, step, stop] = [model.get("at"), model.get("step"), model.get("stop")]
    const { stack, part, norm } = placeOf(at)
    const longest = (stack === "encoder" ? passage.source : passage.read).length - 1
    const [token, head] = [Math.min(model.get("token"), longest), Math.min(model.get("head"), passage.heads - 1)]
    const chosen = { at, step, token, head }
    const attends = part.endsWith("attention") && !norm
    const looks = attends ? looksOf(passage, { ...chosen, stack, part }) : null
    map.update({ ...chosen, looks, followed: stop ? walked.followed : null })
    const left = hasLeft()
    const onWalk = stop && !left
    const words = block.update(passage, chosen, onWalk ? "" : chapter("Built in chapter", chapterOf(at, step)))
    said = bar.update(stop, walked, left, onWalk ? chapter("Chapter", walked.stops[stop - 1].chapter) : "") || words
    return said
  }
  const follow = () => passage && model.get("stop") && stand(model.get("stop")) // Python has set the stop
  model.on("change:stop", follow)
  const stop = () => {
    source.stop()
    ways.stop()
    model.off("change:stop", follow)
  }
  return { nodes, update, stop }
}

const REMEDY = "Reload the page to ask once more, or load the model: it translates the sentence here."

/**
 * Where passages come from: the stored one when the figure comes into sight, others from the model or from Python. `enter`
 * gets each; `asked` is told what goes on.
 */
function translations(model, outside, { enter, asked: { say, label, progress }, scene }) {
  let state = model.send ? "ready" : "empty" // "loading" in between; in a notebook Python translates
  let waiting = "" // the text to translate once the model is there
  let newest = 0 // what was asked for last is shown, whatever comes last
  let wanted = null
  const turnTo = now => {
    state = now
    label(now)
    if (now !== "loading") progress(null)
  }
  const fetchStored = async text => {
    const job = ++newest
    wanted = text
    try {
      const found = storedPassage(await outside.trace(text, words => job === newest && say(words)))
      if (job === newest) enter(found)
    } catch ({ message }) {
      if (job === newest) say(model.send ? message : `The stored sentence did not come. ${message} ${REMEDY}`)
    }
  }
  const begin = text => {
    newest++
    remote.ask("inside", { text })
  }
  const remote = engine(model, {
    progress: ({ received }) => {
      turnTo("loading")
      say("")
      progress(received)
    },
    stalled: ({ message }) => {
      turnTo("empty") // it may be asked for again, and may still come
      say(message)
    },
    ready: () => {
      turnTo("ready")
      begin(waiting)
    },
    passage: ({ passage }) => (passage ? enter(passage) : say("Type a sentence.")),
    failed: ({ message }) => {
      if (state === "loading") turnTo("empty")
      say(message)
    },
  })
  const ask = text => {
    say(text.trim() ? "" : "Type a sentence.")
    if (!text.trim()) return
    if (model.send) fetchStored(text)
    else if (state === "ready") begin(text)
    else {
      waiting = text
      if (state === "empty") remote.load()
      turnTo("loading")
    }
  }
  turnTo(state)
  const renewed = () => model.get("text") === wanted || fetchStored(model.get("text")) // Python has set another sentence
  model.on("change:trace", renewed)
  const seen = new IntersectionObserver(
    entries => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return
      seen.disconnect()
      fetchStored(model.get("text"))
    },
    { rootMargin: "200px" },
  )
  seen.observe(scene)
  const stop = () => {
    seen.disconnect()
    remote.stop()
    model.off("change:trace", renewed)
  }
  return { ask, stop }
}

const look = `
.scene { display: grid; gap: 0.5rem 1.5rem; grid-template: "tour" "flow" "block" / minmax(0, 1fr) }
.tour { grid-area: tour } .flow { grid-area: flow } .opened { grid-area: block }
@container (min-width: 44rem) {
  .scene { grid-template: "flow tour" max-content "flow block" 1fr / 344px minmax(0, 1fr) }
}
@container (max-width: 43.99rem) {
  .tour { position: sticky; top: 3rem; z-index: 2 }
}
.flow { max-width: 100%; overflow-x: auto; padding: 3px 3px 8px }
a { color: var(--bbb-accent) }
[hidden] { display: none !important }
`

const LOOKS = [ASKED_LOOK, LOADING_LOOK, FLOW_LOOK, SHEET_LOOK, OPENED_LOOK, OPENED_ATTENTION_LOOK, PANEL_LOOK, TOUR_LOOK, APART_LOOK, look]

export default globalThis.document
  ? figure({
      name: "bbb-inside",
      watch: ["at", "step", "token", "head", "feature", "stop"],
      look: LOOKS.join(""),
      build,
    })
  : serve(globalThis, translation)
