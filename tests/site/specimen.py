"""A page that holds one of each thing that a chapter may show, so that no test depends on what the book holds today."""

import io
from pathlib import Path

import nbformat
from matplotlib import rc_context
from matplotlib.figure import Figure
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from blockbyblock.figures.palette import colour

NAME = "specimen"
WIDGET = "application/vnd.jupyter.widget-view+json"
ALTERNATIVE = 'The spread grows as the square root of d_k & never "jumps".'
DESCRIPTION = "One of each thing that a chapter may show, with the root √d_k in a line of text."
SOLUTION = "def weights(scores):\n    return scores.softmax(-1)"
WORD = "zeugma"  # found by the search on this page alone

OPENING = rf"""# Specimen

One of each thing that a chapter may show, with the root $\sqrt{{d_k}}$ in a line of text.

A citation, [Vaswani et al., 2017](references.md#vaswani2017), a link to [another page](before_you_start.md#set-it-up),
and the word {WORD}. A query $q \in \mathbb{{R}}^{{d_k}}$ meets a key $k$ with the score $q \cdot k / \sqrt{{d_k}}$, and
its weights are $w_{{ij}} = \exp(s_{{ij}}) / \sum_l \exp(s_{{il}})$. The parameters are
$W^Q, W^K \in \mathbb{{R}}^{{d \times d_k}}$.

## Formulas

$$\mathrm{{Attention}}(Q, K, V) = \mathrm{{softmax}}\left(\frac{{QK^\top}}{{\sqrt{{d_k}}}}\right)V$$

Text between two formulas, so that a jump of one of them moves something that can be measured.

$$
\begin{{aligned}}
s_{{ij}} &= \frac{{1}}{{\sqrt{{d_k}}}} \sum_{{c=1}}^{{d_k}} q_{{ic}} k_{{jc}} + \text{{a remark wider than a phone}}\\
w_{{ij}} &= \frac{{e^{{s_{{ij}}}}}}{{\sum_l e^{{s_{{il}}}}}}
\end{{aligned}}
$$

Text after the formulas, and `torch.nn.functional.scaled_dot_product_attention`, longer than a phone is wide.

| letter | meaning | base model | a remark that makes the table wide | another |
|---|---|---|---|---|
| `d_model` | width of the stream | 512 | a_word_that_cannot_be_broken_anywhere | more |
"""


def plot_svg() -> str:
    """A plot as matplotlib stores it, in the palette's colours."""
    ink, paper = colour("ink"), colour("paper")
    with rc_context({"svg.hashsalt": "specimen"}):
        figure = Figure(figsize=(5, 3), facecolor=paper)
        axes = figure.subplots()
        axes.set_facecolor(paper)
        axes.plot([4, 64, 1024], [2, 8, 32], color=colour("query"))
        axes.set_xlabel("d_k", color=ink)
        axes.tick_params(colors=ink)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def display(**bundle: str) -> NotebookNode:
    """A display output with a mime bundle; `text_html` stands for text/html."""
    names = {"text_html": "text/html", "text_plain": "text/plain", "svg": "image/svg+xml", "widget": WIDGET}
    return new_output("display_data", data={names[key]: value for key, value in bundle.items()})


def code(name: str, source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    """A code cell that has been run."""
    return new_code_cell(source, id=name, execution_count=1, outputs=list(outputs), metadata={"tags": list(tags)})


def write(folder: Path) -> None:
    """Write the page into the book's folder."""
    drawing = (
        f'<svg role="group" aria-label="One block" viewBox="0 0 60 20" width="180"><a href="{NAME}.ipynb">'
        f'<text x="2" y="14" font-size="12" fill="{colour("encoder")}">a block</text></a></svg>'
    )
    table = '<table class="dataframe"><thead><tr><th>d_k</th><th>entropy</th></tr></thead><tbody>'
    table += "<tr><td>4</td><td>" + "1.02" * 60 + "</td></tr></tbody></table>"
    cells = [
        new_markdown_cell(OPENING, id="opening"),
        code("long-line", "print('long ' * 60)", new_output("stream", text="long " * 60 + "\n")),
        code("plot-one", "show(figure, alt)", display(svg=plot_svg(), text_plain=ALTERNATIVE)),
        code("plot-two", "show(figure, alt)", display(svg=plot_svg(), text_plain=ALTERNATIVE)),
        code("drawing", "drawing", display(text_html=drawing, text_plain="One block")),
        code("table", "frame", display(text_html=table, text_plain="a table")),
        code("live", "interact(f)", display(widget="{}", text_plain="interactive(...)"), tags=("live",)),
        new_markdown_cell("## Exercise", id="exercise"),
        code("stub", "def weights(scores):\n    ...", tags=("exercise-stub",)),
        code("check", "check(weights)", new_output("stream", text="Not filled in.\n"), tags=("exercise-check",)),
        code("solution", SOLUTION, tags=("exercise-solution", "hide-cell")),
    ]
    language = {"name": "python", "pygments_lexer": "ipython3"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": language})
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
