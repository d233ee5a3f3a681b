"""What a reader is told, behaviour by behaviour, on small exercises of the three kinds."""

import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from torch import Tensor, nn

import blockbyblock
from blockbyblock.practice import Exercise, Mistake, Result, Verdict, build, check, choose, judge


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.T / key.shape[-1] ** 0.5).softmax(-1) @ value


def attention_cases(generator: torch.Generator) -> Iterable[dict[str, Any]]:
    for queries, keys, width in ((2, 3, 2), (4, 4, 4), (5, 7, 8)):
        yield {
            "query": torch.randn(queries, width, generator=generator),
            "key": torch.randn(keys, width, generator=generator),
            "value": torch.randn(keys, width, generator=generator),
        }


ATTENTION = Exercise(
    "02-attention",
    "Write scaled dot-product attention",
    attention,
    attention_cases,
    (
        Mistake("the scale is missing", lambda q, k, v: (q @ k.T).softmax(-1) @ v, "Divide by the root of d_k."),
        Mistake("the output is transposed", lambda q, k, v: attention(q, k, v).T, "One row for each query."),
        Mistake(
            "the output is rounded to half precision", lambda q, k, v: attention(q, k, v).half(), "Keep the dtype."
        ),
        # Runs on the square input only; on the others it raises, as the reader's own code does.
        Mistake(
            "the key is not transposed", lambda q, k, v: (q @ k / k.shape[-1] ** 0.5).softmax(-1) @ v, "Use key.T."
        ),
    ),
)
SCORE = Exercise(
    "02-by-hand",
    "Work out the score",
    0.7310586,
    mistakes=(Mistake("the scale is missing", 1.462, "Divide by the root of d_k."),),
    hint="Begin with the product of the first entries.",
)
WEIGHTS = Exercise("02-weights", "Work out the weights", torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
AXIS = Exercise("02-axis", "Choose", "b", mistakes=(Mistake("a mistake", "a", "Look again."),), use=choose)


class Shifted(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.linear(x))


class WithoutResidual(Shifted):
    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear(x))


def module_cases(generator: torch.Generator) -> Iterable[dict[str, Any]]:
    for width in (2, 5):
        yield {
            "width": width,
            "parameters": {
                "linear.weight": torch.randn(width, width, generator=generator),
                "linear.bias": torch.randn(width, generator=generator),
            },
            "x": torch.randn(3, width, generator=generator),
        }


MODULE = Exercise(
    "06-module",
    "Write the module",
    Shifted,
    module_cases,
    (Mistake("the input is not added", WithoutResidual, "Add x."),),
    use=build("width"),
)


def verdict_and_text(exercise: Exercise, answer: Any) -> tuple[Verdict, str]:
    result = judge(exercise, answer)
    assert "practice/" not in result.message
    assert "Traceback" not in result.message
    return result.verdict, result.message


# Unfilled, right


def test_torchs_own_not_implemented_error_is_an_error_and_not_an_empty_stub() -> None:
    def on_integers(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return (query @ key.T).long().softmax(-1) @ value

    verdict, text = verdict_and_text(ATTENTION, on_integers)
    assert verdict is Verdict.ERROR
    assert "NotImplementedError" in text
    assert ".long().softmax(-1)" in text


def test_partly_filled_answer_names_what_is_left() -> None:
    def half_done(batch: int, query: int, key: int, d_model: int, heads: int) -> dict[str, Any]:
        shapes = dict.fromkeys(("query heads", "key heads", "head outputs", "concat"), (1,))
        return shapes | {"scores": (batch, heads, ..., ...)}

    result = check("notation-shapes", half_done)
    assert result.verdict is Verdict.UNFILLED
    assert "part 3 of `scores`" in result.message


def test_module_without_a_body_is_unfilled() -> None:
    class Stub(nn.Module):
        """The reader has not begun: not even `__init__` takes the width."""

    class Begun(Shifted):
        def forward(self, x: Tensor) -> Tensor:
            raise NotImplementedError

    assert judge(MODULE, Stub).verdict is Verdict.UNFILLED
    assert judge(MODULE, Begun).verdict is Verdict.UNFILLED


def test_right_answer_says_on_what_it_was_tried() -> None:
    result = judge(ATTENTION, attention)
    assert result.passed
    assert result.require() is result
    assert result.message == (
        "Right. Tried on 3 inputs, from (query of shape (2, 2), key of shape (3, 2), value of shape (3, 2)) "
        "to (query of shape (5, 8), key of shape (7, 8), value of shape (7, 8))."
    )


@pytest.mark.parametrize("answer", [0.731, 0.73105, torch.tensor(0.731), torch.tensor([0.7311])])
def test_value_by_hand_may_be_rounded_to_three_decimals(answer: Any) -> None:
    assert judge(SCORE, answer).passed
    assert not judge(SCORE, answer + 0.002).passed


@pytest.mark.parametrize("answer", [0.731, 0.732])
def test_third_decimal_may_be_rounded_or_cut_off(answer: float) -> None:
    assert judge(Exercise("02-by-hand", "Work out the score", 0.7316), answer).passed


def test_choice_may_be_typed_with_capitals_and_spaces() -> None:
    assert judge(AXIS, " B ").passed
    assert judge(AXIS, "A").mistakes == ("a mistake",)
    assert judge(AXIS, "c").message == "Not yet. Your answer is 'c', which is not right."


def test_module_is_judged_with_the_given_parameters_in_evaluation_mode() -> None:
    class DrawsOtherNumbers(Shifted):
        def __init__(self, width: int) -> None:
            torch.rand(3)
            super().__init__(width)

    class WithoutDropout(Shifted):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.linear(x)

    assert judge(MODULE, Shifted).passed
    assert judge(MODULE, DrawsOtherNumbers).passed
    assert judge(MODULE, WithoutDropout).passed
    assert judge(MODULE, WithoutResidual).mistakes == ("the input is not added",)


# Known wrong answers


def test_mistake_is_recognised_when_only_its_shape_or_dtype_differs() -> None:
    assert judge(ATTENTION, lambda q, k, v: attention(q, k, v).mT).mistakes == ("the output is transposed",)
    half = judge(ATTENTION, lambda q, k, v: attention(q, k, v).to(torch.float16))
    assert half.mistakes == ("the output is rounded to half precision",)


def test_mistake_is_recognised_when_it_raises_on_some_inputs() -> None:
    assert judge(ATTENTION, ATTENTION.mistakes[3].answer).mistakes == ("the key is not transposed",)


def test_error_of_the_same_type_alone_is_not_a_mistake() -> None:
    always = Mistake("it raises everywhere", lambda q, k, v: q @ torch.zeros(99), "Nothing to compare.")
    exercise = Exercise("02-raises", "Raise", attention, attention_cases, (always,))
    assert judge(exercise, lambda q, k, v: v @ torch.zeros(98)).verdict is Verdict.ERROR


def test_mistake_must_agree_on_every_input() -> None:
    def wrong_in_another_way_on_the_larger_ones(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.T).softmax(-1) @ v + (len(q) > 2)

    assert judge(ATTENTION, wrong_in_another_way_on_the_larger_ones).verdict is Verdict.WRONG


def test_several_mistakes_in_named_parts_are_all_named() -> None:
    def answer(batch: int, query: int, key: int, d_model: int, heads: int) -> dict[str, Any]:
        return {
            "query heads": (batch, query, heads, d_model // heads),
            "key heads": (batch, key, heads, d_model // heads),
            "scores": (batch, heads, key, query),
            "head outputs": (99, 99),
            "concat": (batch, query, d_model),
        }

    result = check("notation-shapes", answer)
    assert result.mistakes == ("heads stands after the positions", "the positions of query and key are swapped")
    assert "In `query heads`, `key heads`: heads stands after" in result.message
    assert "Something else is wrong in `head outputs`." in result.message


def test_value_by_hand_is_recognised_or_left_to_the_reader() -> None:
    assert judge(SCORE, 1.4621).mistakes == ("the scale is missing",)
    unknown = judge(SCORE, 3.0).message
    assert unknown == "Not yet. Your answer is 3, which is not right.\nBegin with the product of the first entries."


# Unknown wrong answers


def test_counterexample_is_the_first_and_smallest_input() -> None:
    _, text = verdict_and_text(
        ATTENTION, lambda q, k, v: attention(q, k, v) + torch.tensor([0.0, 1.0]).repeat(99)[: v.shape[-1]]
    )
    assert "Your answer differs in 2 of 4 entries, first at [0, 1]: 1.711, expected 0.7106." in text
    assert "    expected = [[-0.8566,  0.7106],\n                [-0.8196,  0.2667]]" in text
    assert "    query = [[ 1.541, -0.293],\n             [-2.179,  0.568]]" in text


def test_answer_that_is_right_on_some_inputs_is_told_so() -> None:
    _, text = verdict_and_text(ATTENTION, lambda q, k, v: attention(q, k, v) + (len(q) == 5))
    assert "It is right on 2 of the 3 inputs tried." in text
    assert "value = a tensor of shape (7, 8) and dtype float32" in text, "a large input is not printed in full"


def test_wrong_shape_dtype_and_type_say_both_sides() -> None:
    shape = verdict_and_text(ATTENTION, lambda q, k, v: attention(q, k, v)[None])[1]
    assert (
        "Wrong shape: your answer is a tensor of shape (1, 2, 2) and dtype float32; a tensor of shape (2, 2)" in shape
    )
    dtype = verdict_and_text(ATTENTION, lambda q, k, v: attention(q, k, v).double())[1]
    assert "dtype float64; a tensor of shape (2, 2) and dtype float32 is expected. The values themselves are" in dtype
    kind = verdict_and_text(ATTENTION, lambda q, k, v: "weights")[1]
    assert "Wrong type: your answer is the text 'weights'; a tensor of shape (2, 2) and dtype float32" in kind


def test_nan_is_said_in_so_many_words() -> None:
    _, text = verdict_and_text(ATTENTION, lambda q, k, v: attention(q, k, v).log())
    assert re.search(r"holds NaN \(not a number\) in \d of 4 entries, first at \[0, 0\]", text)


def test_value_by_hand_is_not_given_away() -> None:
    result = judge(WEIGHTS, [[0.25, 0.75], [0.4, 0.6]])
    assert result.message == "Not yet. Your answer is not right in 2 of 4 entries, first at [1, 0]: 0.4."


# Kind to what is equal in value


@pytest.mark.parametrize(
    ("dress", "called"),
    [
        (Tensor.tolist, "a list of numbers of shape (2, 2)"),
        (lambda tensor: [list(row) for row in tensor], "a list of numbers of shape (2, 2)"),
        (Tensor.numpy, "an array of shape (2, 2)"),
    ],
)
def test_list_or_array_of_equal_value_counts(dress: Any, called: str) -> None:
    result = judge(ATTENTION, lambda q, k, v: dress(attention(q, k, v)))
    assert result.passed
    assert f"Your answer is {called}; a tensor" in result.message
    assert "so it counts" in result.message
    assert not judge(ATTENTION, lambda q, k, v: dress(attention(q, k, v) + 0.01)).passed


def test_float_counts_as_a_whole_number_with_a_remark() -> None:
    exercise = Exercise("03-width", "Work out d_k", 64)
    assert judge(exercise, 512 / 8).passed
    assert "`//` would give a whole number" in judge(exercise, 512 / 8).message
    assert not judge(exercise, 64.5).passed
    assert judge(exercise, 64).message == "Right."


# The reader's errors


def test_error_is_shown_with_the_readers_line() -> None:
    def answer(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        scores = query @ key
        return scores

    verdict, text = verdict_and_text(ATTENTION, answer)
    line = answer.__code__.co_firstlineno + 1
    assert verdict is Verdict.ERROR
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x2 and 3x2)" in text
    assert f"line {line} of {Path(__file__).name}, in `answer`:\n    scores = query @ key\n" in text
    assert "It was tried with\n    query = " in text


def test_error_inside_a_library_is_shown_with_the_line_that_called_it() -> None:
    def torchs(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nn.Linear(99, 2)(query)

    def ours(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return blockbyblock.MultiHeadAttention(d_model=7, heads=2)(query)

    assert "in `torchs`:\n    return nn.Linear(99, 2)(query)" in verdict_and_text(ATTENTION, torchs)[1]
    assert "in `ours`:\n    return blockbyblock.Multi" in verdict_and_text(ATTENTION, ours)[1]


def test_innermost_line_of_the_reader_is_shown() -> None:
    def scores_of(query: Tensor, key: Tensor) -> Tensor:
        return query @ key

    def answer(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return scores_of(query, key) @ value

    assert "in `scores_of`:\n    return query @ key\n" in verdict_and_text(ATTENTION, answer)[1]


def test_long_error_is_cut() -> None:
    def answer(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        raise ValueError("x" * 10_000)

    text = verdict_and_text(ATTENTION, answer)[1]
    assert "x ...\n" in text
    assert len(text) < 1000


@pytest.mark.parametrize("file", ["<stdin>", "/tmp/ipykernel_12/34.py", "/tmp/ipython-input-5-67.py"])
def test_cell_is_called_a_cell_even_where_its_text_is_not_at_hand(file: str) -> None:
    session: dict[str, Any] = {}
    exec(compile("def answer(*inputs):\n    return 1 / 0", file, "exec"), session)
    assert "It comes from line 2 of the cell, in `answer`." in verdict_and_text(ATTENTION, session["answer"])[1]


def test_line_is_found_in_a_cell_of_ipython() -> None:
    shell = InteractiveShell()
    shell.run_cell("def answer(query, key, value):\n    weights = query @ key.T\n    return weights @ nothing")
    text = verdict_and_text(ATTENTION, shell.user_ns["answer"])[1]
    assert "NameError: name 'nothing' is not defined" in text
    assert "line 3 of the cell, in `answer`:\n    return weights @ nothing" in text


def test_notebook_shows_a_result_once_and_the_line_of_the_cell(tmp_path: Path) -> None:
    cells = [
        "from blockbyblock.practice import check",
        "def answer(batch, query, key, d_model, heads):\n    return d_model // 0",
        'check("notation-shapes", answer)',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    (output,) = notebook.cells[2].outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert "ZeroDivisionError" in output.data["text/plain"]
    assert "line 2 of the cell, in `answer`:\n    return d_model // 0" in output.data["text/plain"]
    assert 'role="status"' in output.data["text/html"]


def test_endless_recursion_and_exit_do_not_end_the_session() -> None:
    def endless(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return endless(query, key, value)

    def leaving(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        raise SystemExit("bye")

    text = verdict_and_text(ATTENTION, endless)[1]
    assert "RecursionError" in text
    assert "return endless(query, key, value)" in text
    assert "must stop" in text
    assert len(text) < 1000
    assert "SystemExit: bye" in verdict_and_text(ATTENTION, leaving)[1]


def test_an_endless_loop_that_is_stopped_is_named_by_its_line() -> None:
    tried = []

    def endless(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        tried.append(query)
        position = 0
        while position < len(query):  # nothing in it changes
            if len(tried) == 2:
                signal.raise_signal(signal.SIGINT)  # as Ctrl-C and the stop button do
            if len(tried) == 1:
                break
        return attention(query, key, value)

    state = torch.get_rng_state()
    verdict, text = verdict_and_text(ATTENTION, endless)
    assert verdict is Verdict.ERROR
    assert "You have stopped your code while it ran." in text
    assert re.search(r"It was at line \d+ of test_practice_check\.py, in `endless`:\n    signal\.raise_signal", text)
    assert "A loop ends when its condition becomes false" in text
    assert len(tried) == 2, "what is stopped is not tried on further inputs"
    assert torch.equal(torch.get_rng_state(), state)


def test_an_interruption_that_is_not_in_the_readers_code_passes_through() -> None:
    def interrupting(generator: torch.Generator) -> Iterable[dict[str, Any]]:
        raise KeyboardInterrupt
        yield

    # as it looks where our own code is interrupted: no line of it is the reader's
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blockbyblock.practice.trial.readers_line", lambda error: None)
        with pytest.raises(KeyboardInterrupt):
            judge(Exercise("02-interrupted", "Stop", attention, interrupting), attention)


@pytest.mark.parametrize("answer", [[0.87, 0.12, 0.02], torch.tensor([0.87, 0.12, 0.02]), (0.87, 0.12, 0.02)])
def test_an_answer_that_is_right_to_two_decimals_is_told_so(answer: Any) -> None:
    assert check("02-weights-by-hand", answer).message == "Not yet. Your answer is right to two decimals. Give three."


def test_two_decimals_are_enough_to_know_a_mistake_and_not_to_call_another_number_nearly_right() -> None:
    assert check("02-weights-by-hand", [0.98, 0.02, 0.0]).mistakes == (
        "the scores were not divided by the square root of d_k",
    )
    for wrong in ([0.87, 0.12, 0.03], [0.865, 0.12, 0.02], [0.8649, 0.1191, 0.0179]):
        assert "two decimals" not in check("02-weights-by-hand", wrong).message
    assert judge(SCORE, 0.73).message == "Not yet. Your answer is right to two decimals. Give three."
    assert judge(SCORE, 1.46).mistakes == ("the scale is missing",)
    assert "two decimals" not in judge(ATTENTION, lambda q, k, v: attention(q, k, v) + 0.002).message


def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def by_a_layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    layer = nn.Linear(*weight.T.shape)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer(x).detach()


def by_the_argument(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
    return torch.nn.functional.cross_entropy(log_probabilities, target, label_smoothing=smoothing)


@pytest.mark.parametrize(
    ("name", "answer", "called"),
    [
        ("02-attention", fused, "`torch.nn.functional.scaled_dot_product_attention`"),
        ("01-linear", by_a_layer, "`torch.nn.functional.linear`"),
        ("12-smoothing", by_the_argument, "`cross_entropy(label_smoothing=...)`"),
    ],
)
def test_a_function_that_the_exercise_does_without_is_not_accepted(name: str, answer: Any, called: str) -> None:
    result = check(name, answer)
    assert result.verdict is Verdict.WRONG
    assert f"The output is right, but your code calls {called}, which this exercise is about" in result.message


def test_only_the_forbidden_argument_is_forbidden() -> None:
    def with_plain_cross_entropy(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
        right = torch.nn.functional.cross_entropy(log_probabilities, target)
        return (1 - smoothing) * right - smoothing * log_probabilities.mean()

    assert check("12-smoothing", with_plain_cross_entropy).passed


def test_heads_that_are_not_transposed_and_other_swaps_have_their_names() -> None:
    def attend(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
        cut = [(x @ matrix).view(*x.shape[:2], heads, -1) for matrix in (W_Q, W_K, W_V)]
        return fused(*cut).flatten(2) @ W_O

    def stored(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int) -> Tensor:
        cut = [(x @ matrix.T).view(*x.shape[:2], heads, -1).transpose(1, 2) for matrix in (W_Q, W_K, W_V)]
        return fused(*cut).transpose(1, 2).flatten(2) @ W_O.T

    def share(head_outputs: Tensor, weight: Tensor, bias: Tensor, head: int) -> Tensor:
        width = head_outputs.shape[-1]
        return head_outputs[:, head] @ weight[:, head * width : (head + 1) * width]

    for name, answer, mistake in (
        ("03-multi-head", attend, "the heads stand behind the positions while they attend"),
        ("03-multi-head", stored, "the matrices are transposed"),
        ("03-contribution", share, "the columns of the head are not transposed"),
    ):
        assert check(name, answer).mistakes == (mistake,)


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (lambda q, k, v: q @ k[:, :1] @ v, "In `a @ b` the last dimension of `a` must be as long"),
        (lambda q, k, v: q[None] @ k[None, :, :1], "In `a @ b` the last dimension of `a` must be as long"),
        (lambda q, k, v: q + torch.zeros(7, 9), "Entry by entry, two dimensions fit"),
        (lambda q, k, v: q.view(97, -1), "A view keeps the number of entries"),
        (lambda q, k, v: q.unflatten(-1, (97, 2)), "A view keeps the number of entries"),
        (lambda q, k, v: k.T.view(-1), "use `reshape`"),
        (lambda q, k, v: q.softmax(5), "The tensor has fewer dimensions than that"),
    ],
)
def test_what_torch_says_of_shapes_is_said_with_what_to_look_at(wrong: Any, advice: str) -> None:
    verdict, text = verdict_and_text(ATTENTION, wrong)
    assert verdict is Verdict.ERROR
    assert advice in text


def test_wrong_number_of_parameters_gets_the_expected_ones() -> None:
    verdict, text = verdict_and_text(ATTENTION, lambda query, key: query)
    assert verdict is Verdict.ERROR
    assert "takes 2 positional arguments but 3 were given" in text
    assert "It is called with 3 arguments: (query, key, value)." in text

    class NoWidth(Shifted):
        def __init__(self) -> None:
            super().__init__(2)

    assert "It is built with (width) and called with (x)." in verdict_and_text(MODULE, NoWidth)[1]


def test_call_or_object_in_place_of_the_function_or_class_is_named() -> None:
    assert "pass the function itself" in judge(ATTENTION, torch.ones(2)).message
    assert "pass the class itself" in judge(MODULE, Shifted(2)).message
    assert "pass the value that you worked out" in judge(SCORE, attention).message


def test_module_with_other_parameters_is_told_both_lists() -> None:
    class Renamed(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.projection = nn.Linear(width, width, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.projection(x)

    text = verdict_and_text(MODULE, Renamed)[1]
    assert "raises an error" not in text
    assert "Your module has the parameters `projection.weight` (2, 2); the parameters `linear.weight` (2, 2)," in text


# Side effects


def test_change_in_place_is_noticed() -> None:
    def in_place(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query /= key.shape[-1] ** 0.5
        return (query @ key.T).softmax(-1) @ value

    def wrong_too(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return value.mul_(2)

    verdict, text = verdict_and_text(ATTENTION, in_place)
    assert verdict is Verdict.WRONG
    assert "The output is right, but your code changes its input `query` in place" in text
    assert "Besides, your code changes its input `value` in place" in verdict_and_text(ATTENTION, wrong_too)[1]
    assert judge(ATTENTION, attention).passed, "the inputs of the next check are whole again"


def test_random_state_of_the_session_is_left_alone_and_does_not_matter() -> None:
    def noisy(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attention(query, key, value) + torch.randn(())

    def reseeding(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        torch.manual_seed(len(query))
        return attention(query, key, value)

    messages = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        messages.add(judge(ATTENTION, noisy).message)
        assert judge(ATTENTION, reseeding).passed
        assert torch.equal(torch.get_rng_state(), before)
    assert len(messages) == 1


# What is shown


def test_result_is_text_first_and_safe_html() -> None:
    result = Result("x", Verdict.WRONG, "`a` < b\n    [1 < 2]\nend")
    assert repr(result) == str(result) == result.message == "Not yet. `a` < b\n    [1 < 2]\nend"
    html = result._repr_html_()
    assert "<strong>Not yet.</strong> <code>a</code> &lt; b" in html
    assert ">[1 &lt; 2]</pre>" in html
    assert html.startswith('<div role="status"')


def test_require_raises_with_the_readers_message() -> None:
    with pytest.raises(AssertionError, match=r"02-attention: Not yet\. The scale is missing\.\nDivide by"):
        judge(ATTENTION, lambda q, k, v: (q @ k.T).softmax(-1) @ v).require()


def test_solution_that_raises_is_a_fault_of_the_exercise() -> None:
    broken = Exercise("99-broken", "Broken", lambda x: 1 / 0, lambda generator: [{"x": 1}])
    with pytest.raises(ZeroDivisionError):
        judge(broken, lambda x: 1)
