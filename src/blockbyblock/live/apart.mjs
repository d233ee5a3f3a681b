// On a narrow page the opened block is below the map and out of sight: a way from one to the other.

import { h } from "./figure.mjs"

const MARGIN = 52 // px, a page's own bar and a little air

/**
 * A button that goes from the map to the block and back, `reveal()`, which goes to the block where it is out of sight, and
 * `stop()`. `bar` stays at the upper edge and covers what is under it.
 */
export function apart(map, block, bar) {
  const button = h("button", { type: "button", class: "apart", onclick: () => go(there ? map : block) }, "↓ Block")
  let there = false // whether the block is what is seen
  const go = part => {
    part.style.scrollMarginTop = `${bar().offsetHeight + MARGIN}px`
    part.scrollIntoView({ block: "start" })
  }
  const seen = new IntersectionObserver(
    entries => {
      there = entries.at(-1).isIntersecting
      button.textContent = there ? "↑ Map" : "↓ Block"
    },
    { rootMargin: "-50% 0px -50% 0px" }, // the line in the middle of the window
  )
  seen.observe(block)
  const reveal = () => block.getBoundingClientRect().top > innerHeight - 2 * MARGIN && go(block)
  return { button, reveal, stop: () => seen.disconnect() }
}

export const APART_LOOK = `
.apart { margin-left: auto }
@container (min-width: 44rem) { .apart { display: none } }
`
