// The walk: from the id of one source token to the word that it becomes, and on to the next step. A stop is a place that is
// opened, and one sentence with the model's own numbers.

import { decimals, visible } from "./figure.mjs"
import { strongest } from "./passage.mjs"
import { layersOf } from "./places.mjs"
import { grouped } from "./sheet.mjs"

/**
 * The walk through one passage: {stops, followed, invitation}. A stop is {at, step, token, head, chapter, sentence}. `followed` is
 * {encoder, written}: the source token, 1 or 0 where only <end> follows it, and the step of the decoder that looks most at it
 * in the last layer. `invitation` says what the walk is about.
 */
export function walkThrough(passage) {
  const { source, read, written, pieces, tensors, heads, size, vocab, top, logTotals } = passage
  const [deep, last] = [layersOf(passage, "encoder") - 1, layersOf(passage, "decoder") - 1]
  const from = source.length > 2 ? 1 : 0
  const name = id => `“${isolated(pieces.get(id))}”`
  const all = Array.from({ length: heads }, (_, head) => head)
  const weights = (at, head, query) => {
    const row = tensors[`${at}.weights`][query]
    return row.subarray((head * row.length) / heads, ((head + 1) * row.length) / heads)
  }
  const most = numbers => numbers.indexOf(numbers.reduce((one, other) => Math.max(one, other)))
  const largest = (at, head, query) => {
    const place = most(weights(at, head, query))
    return `${decimals(weights(at, head, query)[place], 3)}, goes to ${name(source[place])}`
  }
  // The head that looks most at a token, and the one that looks most at any other token than its own: most is seen there.
  const onto = (at, query, key) => most(all.map(head => weights(at, head, query)[key]))
  const away = (at, query) =>
    most(all.map(head => Math.max(0, ...weights(at, head, query).filter((_, key) => key !== query))))
  const firing = (at, position) => {
    const hidden = tensors[`${at}.hidden_projection`][position]
    const unit = strongest(hidden)[0]
    const firing = hidden.filter(entry => entry > 0).length
    return unit === undefined
      ? `none of its ${grouped(hidden.length)} hidden units fires`
      : `${grouped(firing)} of its ${grouped(hidden.length)} hidden units fire, unit ${grouped(unit + 1)} most strongly`
  }
  const hearing = at => step => all.reduce((sum, head) => sum + weights(at, head, step)[from], 0)
  const final = `decoder.layers.${last}.cross_attention`
  const to = most(written.map((_, step) => step).map(hearing(final)))
  const after = Math.min(to + 1, read.length - 1)
  const [token, word, before] = [name(source[from]), name(written[to]), name(read[to])]
  const self = layer => `encoder.layers.${Math.min(layer, deep)}.self_attention`
  const cross = layer => `decoder.layers.${Math.min(layer, last)}.cross_attention`
  const share = layer => decimals(weights(cross(layer), onto(cross(layer), to, from), to)[from], 3)
  const certain = all.filter(head => weights(final, head, to)[from] > 0.5).length
  const sure = certain === heads ? `all ${heads} heads give` : `${certain || "none"} of ${heads} heads give${certain > 1 ? "" : "s"}`
  const [eye, other] = [away(self(0), from), away(self(1), from)]
  const [, chosen] = top[to].find(([id]) => id === written[to]) ?? top[to][0] // <start> may be above it: never written
  const probability = decimals(Math.exp(chosen - logTotals[to]), 3)

  const stop = (at, step, token, head, chapter, sentence) => ({ at, step, token, head, chapter, sentence })
  const encoder = (at, chapter, sentence, step = "scores", head = 0) => stop(at, step, from, head, chapter, sentence)
  const decoder = (at, chapter, sentence, step = "scores", head = 0) => stop(at, step, to, head, chapter, sentence)
  const stops = [
    encoder(
      "source_embedding",
      4,
      `The model knows ${token} by a number, ${grouped(source[from])}. It picks a row of a table: ${size} learned numbers, the features of ${token}. We follow them until ${word} is written.`,
    ),
    encoder("source_positions", 5, `The model must also know where ${token} is. The pattern of its position, ${from} counted from 0, is added.`),
    encoder(
      self(0),
      1,
      `Attention lets ${token} look at the other tokens. ${heads} heads do so side by side; this is head ${eye + 1}, the one that looks most at another token.`,
      "projections",
      eye,
    ),
    encoder(
      self(0),
      2,
      `The query of ${token} is multiplied with the key of every token. The larger the sum, the larger the weight: the largest, ${largest(self(0), eye, from)}.`,
      "scores",
      eye,
    ),
    encoder(
      self(0),
      2,
      "The values are mixed in these proportions: each is multiplied by its weight, and the results are added up. That is what this head has found.",
      "sum",
      eye,
    ),
    encoder(
      self(0),
      3,
      "Every head does this with matrices of its own. What the heads have found is joined, and one more matrix mixes it.",
      "concat",
      eye,
    ),
    encoder(
      `${self(0)}_add_norm`,
      6,
      `What attention has found is added to the vector of ${token}. Then the sum is normalised, so that its numbers have a standard size.`,
    ),
    encoder(
      "encoder.layers.0.feed_forward",
      7,
      `Now each token goes through a feed-forward network by itself. For ${token}, ${firing("encoder.layers.0.feed_forward", from)}.`,
    ),
    encoder(
      "encoder.layers.0.feed_forward_add_norm",
      6,
      `The answer of the network is added and normalised too. This is the end of layer 1: attention and the network have each changed the vector once.`,
    ),
    encoder(
      self(1),
      8,
      `${deep ? "The next layer does the same with matrices of its own." : "There is no further layer: the same attention again."} The largest weight in its head ${other + 1}, ${largest(self(1), other, from)}.`,
      "scores",
      other,
    ),
    encoder(
      `encoder.layers.${deep}.feed_forward_add_norm`,
      8,
      `Here the encoder ends. In every layer ${token} could look at the whole sentence. The vectors of all its tokens are the memory, which the decoder reads.`,
    ),
    decoder(
      "target_embedding",
      9,
      `The decoder writes one token at a time. It has come as far as ${before}, and from the vector here it will make the next one.`,
    ),
    decoder("target_positions", 5, `${before} is at position ${to} of what the decoder reads, and gets the pattern of that position.`),
    decoder(
      "decoder.layers.0.self_attention",
      9,
      `${before} may look at itself${to ? " and at what comes before it" : " only, since it is the first"}. ${read.length > to + 1 ? "Later tokens, dashed on the map, are masked: the model has not written them yet." : "There is no later token."}`,
      "scores",
      away("decoder.layers.0.self_attention", to),
    ),
    decoder(
      "decoder.layers.0.self_attention_add_norm",
      11,
      "What it has found in the translation so far is added and normalised, as in the encoder.",
    ),
    decoder(
      cross(0),
      10,
      "Now the decoder asks the source sentence. Its own vector makes the query; the memory makes the keys and the values.",
      "projections",
      onto(cross(0), to, from),
    ),
    decoder(
      cross(0),
      10,
      `In layer 1 the head that looks most at ${token} gives it a weight of ${share(0)}.`,
      "scores",
      onto(cross(0), to, from),
    ),
    decoder(`${cross(0)}_add_norm`, 11, `What the heads bring from the source is added to the vector at ${before}, and the sum is normalised.`),
    decoder(
      "decoder.layers.0.feed_forward",
      11,
      `A feed-forward network follows, as in the encoder: ${firing("decoder.layers.0.feed_forward", to)}.`,
    ),
    decoder(
      cross(1),
      11,
      `${last ? "The next layer asks the source again." : "There is no further layer: the same attention again."} Here the head that looks most at ${token} gives it a weight of ${share(1)}.`,
      "scores",
      onto(cross(1), to, from),
    ),
    decoder(
      final,
      10,
      `In the last layer ${sure} more than half of the weight to ${token}; head ${onto(final, to, from) + 1} gives the most, ${share(last)}.`,
      "scores",
      onto(final, to, from),
    ),
    decoder(
      final,
      10,
      `So ${Number(share(last)) > 0.9 ? "nearly all" : Number(share(last)) > 0.5 ? "most" : "a part"} of what this head hands on comes from the value of ${token}.`,
      "sum",
      onto(final, to, from),
    ),
    decoder(
      `decoder.layers.${last}.feed_forward_add_norm`,
      11,
      `Here the decoder ends. Layer by layer, the vector at ${before} has taken in the source and the translation so far. Now it decides on one token.`,
    ),
    decoder(
      "output",
      12,
      `It is multiplied with the embedding rows of all ${grouped(vocab)} tokens. ${word} comes out with a probability of ${probability}, and is written.`,
    ),
    stop(
      "target_embedding",
      "scores",
      after,
      0,
      13,
      after > to
        ? `${name(read[after])} is read at the next step, and in the decoder everything begins again, one token further on.`
        : "With this token the translation ends: there is no next step.",
    ),
  ]
  return { stops, followed: { encoder: from, written: to }, invitation: `${stops.length} stops follow ${token} through the model, until ${word} is written.` }
}

/** A piece within a sentence; one that is read from right to left does not turn what follows it. */
function isolated(piece) {
  const text = visible(piece)
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u
