// Byte-level BPE: text to token ids and back, the same ids as the `tokenizers` library gives (data/tokenizer.py).

// How GPT-2 cuts a text before it merges: words with the space before them, digits, punctuation, white space.
const S = "\\p{White_Space}" // JavaScript's own \s is another set: it has U+FEFF and lacks U+0085
const WORDS = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?!\\P{White_Space})|${S}+`, "gu",
)
const PYTHON_SPACE = `[${S}\\x1c-\\x1f]+` // what str.strip takes away
const ENDS = new RegExp(`^${PYTHON_SPACE}|${PYTHON_SPACE}$`, "gu")

/** Each of the 256 bytes as one printable character, in which a vocabulary is written: a space is Ġ. */
function byteCharacters() {
  const printable = byte => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++))
}

/** A tokenizer made from what a tokenizer.json holds. Throws an Error if that describes another kind. */
export class Tokenizer {
  constructor({ model, normalizer, pre_tokenizer: before, added_tokens: added }) {
    const byteLevel = before?.type === "ByteLevel" && before.use_regex !== false && !before.add_prefix_space
    if (model?.type !== "BPE" || !byteLevel || normalizer) throw new Error("The tokenizer is no byte-level BPE.")
    this.ids = new Map(Object.entries(model.vocab))
    this.tokens = []
    for (const [token, id] of this.ids) this.tokens[id] = token
    this.ranks = new Map(model.merges.map((pair, rank) => [pair.join(" "), rank])) // no token holds a space
    this.special = new Set(added.map(({ id }) => id))
    this.characters = byteCharacters()
    this.bytes = new Map(this.characters.map((character, byte) => [character, byte]))
  }

  /**
   * The ids of a text, without <start> and <end>. "<end>" in a text is five characters and never the token.
   * Throws an Error for half a surrogate pair, which is no character.
   */
  encode(text) {
    const half = /\p{Surrogate}/u.exec(text)
    if (half) throw new Error(`Character ${half.index + 1} of the text is half of a surrogate pair and no character.`)
    const encoder = new TextEncoder()
    return (text.match(WORDS) ?? []).flatMap(word => {
      const symbols = Array.from(encoder.encode(word), byte => this.characters[byte])
      return this.merge(symbols).map(symbol => this.ids.get(symbol))
    })
  }

  /** Join the pair that was learned first, everywhere in the word, until no pair is left that was learned. */
  merge(symbols) {
    for (;;) {
      let best = Infinity
      for (let index = 1; index < symbols.length; index++) {
        best = Math.min(best, this.ranks.get(`${symbols[index - 1]} ${symbols[index]}`) ?? Infinity)
      }
      if (best === Infinity) return symbols
      const [first, ...rest] = symbols
      const joined = [first]
      for (const symbol of rest) {
        if (this.ranks.get(`${joined.at(-1)} ${symbol}`) === best) joined.push(joined.pop() + symbol)
        else joined.push(symbol)
      }
      symbols = joined
    }
  }

  /** The text of ids, special tokens left out. Bytes that are not UTF-8, which a model may write, become U+FFFD. */
  decode(ids) {
    const tokens = ids.filter(id => !this.special.has(id)).map(id => this.tokens[id])
    const bytes = Array.from(tokens.join(""), character => this.bytes.get(character))
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes))
  }

  /** What each id stands for by itself; a special token has its name. */
  pieces(ids) {
    return ids.map(id => (this.special.has(id) ? this.tokens[id] : this.decode([id])))
  }
}

/** Take the white space around a text away, as Python's str.strip does. */
export function strip(text) {
  return text.replace(ENDS, "")
}
