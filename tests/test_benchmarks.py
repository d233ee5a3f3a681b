"""Each part of the benchmarks gives its rows, and all who take part do equal work. No time is asserted."""

import gc
import gzip
from dataclasses import dataclass, replace

import pytest
import torch
from torch.testing import assert_close

from benchmarks import report
from benchmarks.__main__ import NO_DATA, PARTS, main
from benchmarks.attention import attention, attention_passes
from benchmarks.decoding import agreement, all_decoders, cache, decode, greedy_without_cache, untrained_model
from benchmarks.epoch import ROUNDS, Learned, epoch, several
from benchmarks.language_model import (
    PEER,
    all_writers,
    language_step,
    language_steps,
    made_up_prompts,
    made_up_texts,
    untrained_writer,
    write_on,
)
from benchmarks.measuring import Clock, Samples, peak_memory, processor_peak, spread
from benchmarks.peers import GPT2, MarianTranslator, TorchTranslator, shuffled_batches
from benchmarks.report import HEADER, Row, compared, markdown, quantity, significant
from benchmarks.settings import Sentences, Settings
from benchmarks.training import made_up_batch, made_up_sentences, operations_of, training_operations, training_steps
from blockbyblock import LanguageModel, LanguageModelConfig, Transformer, TransformerConfig
from blockbyblock.data import Corpus, EncodedPair, Pair
from blockbyblock.data.tokenizer import SMALLEST_VOCABULARY
from blockbyblock.decoding import greedy
from blockbyblock.training import Processes, Update

CPU = torch.device("cpu")
MODEL = TransformerConfig(
    d_model=32, heads=4, d_ff=64, encoder_layers=2, decoder_layers=3, source_vocab=300, target_vocab=300, max_length=64
)
EXACT = replace(MODEL, dropout=0.0)
WRITER = LanguageModelConfig(
    d_model=32, heads=4, d_ff=64, layers=3, vocab=300, max_length=64, activation="gelu", pre_norm=True,
    positions="learned", embedding_scale=1.0,
)  # fmt: skip
SETTINGS = Settings(
    model=MODEL,
    language_model=WRITER,
    clock=Clock(seconds=0.0, fewest=2, most=2, shortest=0.0),
    processes=Processes(device=CPU),
    training=(Sentences(4, 5, 5), Sentences(3, 2, 7)),
    decoding=(Sentences(1, 5, 5), Sentences(3, 2, 6)),
    decoded=6,
    beam=3,
    attention=(8, 64),
    cache=(4, 8),
)
OURS_AND_PEERS = ["ours", "nn.Transformer", "Hugging Face Marian", "ours, bfloat16"]
# Float32 through 5 layers: sums in another order differ by some hundreds of roundings of 6e-8.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class StillClock(Clock):
    """Calls each task once a round; each call takes one second."""

    def compare(self, tasks, device):
        return {
            name: Samples((1.0,) * self.fewest, tuple(task() for _ in range(self.fewest)))
            for name, task in tasks.items()
        }


def by_task(rows):
    found = {}
    for row in rows:
        found.setdefault(row.task, []).append(row.by)
    return found


# The language model --------------------------------------------------------------------------------------------------


def test_gpt2_with_our_weights_gives_our_logits():
    model = LanguageModel(WRITER).eval()
    batch = made_up_texts(SETTINGS, Sentences(4, 2, 9))
    real = batch.decoder_input != 0
    with torch.no_grad():
        assert_close(GPT2(model).eval()(batch.decoder_input)[real], model(batch.decoder_input)[real], **CLOSE)


def test_both_language_models_make_the_same_updates(monkeypatch):
    monkeypatch.setattr("benchmarks.language_model.LEARNING_RATE", 0.01)
    settings = replace(SETTINGS, language_model=replace(WRITER, dropout=0.0))
    batch = made_up_texts(settings, Sentences(4, 2, 9))
    losses = {by: torch.stack([step(batch) for _ in range(5)]) for by, step in language_steps(settings).items()}
    assert list(losses) == ["ours", PEER]
    assert_close(losses[PEER], losses["ours"], rtol=1e-5, atol=0)
    assert losses["ours"][-1] < losses["ours"][0]


def test_prompts_begin_with_the_start_token_and_are_padded_on_the_left():
    prompts = made_up_prompts(SETTINGS, Sentences(3, 2, 6))
    assert [int((row != 0).sum()) for row in prompts] == [2, 4, 6]
    for row in prompts:
        own = row[row != 0]
        assert row.tolist() == [0] * (6 - len(own)) + own.tolist()
        assert int(own[0]) == WRITER.start_id
        assert (own[1:] > WRITER.end_id).all()


def test_both_write_the_same_tokens_and_never_end():
    model = untrained_writer(SETTINGS)
    prompts = made_up_prompts(SETTINGS, Sentences(6, 2, 9))
    outputs = {by: write(prompts) for by, write in all_writers(SETTINGS, model).items()}
    assert outputs["ours"] == outputs[PEER]
    assert [len(ids) for ids in outputs["ours"]] == [SETTINGS.decoded] * 6
    assert all(len(set(ids)) > 3 for ids in outputs["ours"]), "a model that says one token over and over shows little"


def test_each_task_of_the_language_model_has_a_line_for_ours_and_one_for_gpt2():
    settings = replace(SETTINGS, clock=StillClock(fewest=2))
    for part in (language_step, write_on):
        rows = part(settings)
        assert list(by_task(rows).values()) == [["ours", PEER]] * 2
        assert all(row.note for row in rows if row.by == PEER)
    assert [row.note for row in rows] == ["", "1 of 1 outputs as ours", "", "3 of 3 outputs as ours"]


def test_operations_of_a_language_model_are_those_of_the_formula():
    batch = made_up_texts(SETTINGS, Sentences(3, 5, 5))
    d_model, d_ff, positions = WRITER.d_model, WRITER.d_ff, 3 * 5
    products = WRITER.layers * positions * (4 * d_model**2 + 2 * d_model * d_ff + 2 * 5 * d_model)
    products += positions * d_model * WRITER.vocab
    assert operations_of(LanguageModel(WRITER), batch.decoder_input, device=CPU) == 3 * 2 * products


# Equal work ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer_class", [TorchTranslator, MarianTranslator])
def test_a_peer_with_our_weights_gives_our_logits(peer_class):
    model = Transformer(MODEL)
    peer = peer_class(model).eval()
    batch = made_up_batch(SETTINGS, Sentences(4, 2, 9))
    with torch.no_grad():
        ours = model.eval()(batch.source, batch.decoder_input)
        assert_close(peer(batch.source, batch.decoder_input), ours, **CLOSE)


def test_all_make_the_same_updates(monkeypatch):
    monkeypatch.setattr("benchmarks.training.LEARNING_RATE", 0.01)  # large enough for each setting of Adam to matter
    settings = replace(SETTINGS, model=EXACT)
    batch = made_up_batch(settings, Sentences(4, 2, 9))
    losses = {}
    for by, step in training_steps(settings).items():
        results = [step(batch) for _ in range(5)]
        losses[by] = torch.stack(
            [result.smoothed / result.predictions if isinstance(result, Update) else result for result in results]
        )
    assert list(losses) == OURS_AND_PEERS
    for peer in ("nn.Transformer", "Hugging Face Marian"):
        # Rounding makes a difference of 2e-7; PyTorch's default betas would make one of 4e-4 in the last loss.
        assert_close(losses[peer], losses["ours"], rtol=1e-5, atol=0)
    # bfloat16 has 8 bits of precision: 0.4 % in each product
    assert_close(losses["ours, bfloat16"], losses["ours"], rtol=0.01, atol=0)
    assert not torch.equal(losses["ours, bfloat16"], losses["ours"])


def test_the_models_trained_are_copies():
    steps = training_steps(replace(SETTINGS, model=EXACT))
    batch = made_up_batch(SETTINGS, Sentences(4, 5, 5))
    first = float(steps["nn.Transformer"](batch))
    for step in (steps["ours"], steps["Hugging Face Marian"]):
        result = step(batch)
        loss = result.smoothed / result.predictions if isinstance(result, Update) else result
        assert float(loss) == pytest.approx(first, rel=1e-5)


def test_the_untrained_model_never_ends_a_sentence():
    model = untrained_model(SETTINGS)
    source = made_up_sentences(SETTINGS, Sentences(6, 2, 9))
    specials = model(source, source)[..., [0, 1, 2]]
    assert specials.max() < -1e8


@pytest.mark.parametrize("beam", [1, 3])
def test_all_decode_the_same_tokens(beam):
    model = untrained_model(SETTINGS)
    source = made_up_sentences(SETTINGS, Sentences(6, 2, 9))
    decoders = all_decoders(SETTINGS, model)
    outputs = {by: decoder(source, beam) for by, decoder in decoders.items()}
    assert list(outputs) == ["ours", "Hugging Face Marian", "CTranslate2"]
    assert {len(output) for output in outputs["ours"]} == {SETTINGS.decoded}
    assert len({token for output in outputs["ours"] for token in output}) > SETTINGS.decoded  # no word over and over
    assert all(output == outputs["ours"] for output in outputs.values())


def test_with_and_without_the_cache_the_same_tokens():
    model = untrained_model(SETTINGS)
    source = made_up_sentences(SETTINGS, Sentences(1, 5, 5))
    [hypothesis] = greedy(model, source, 12)
    assert len(hypothesis.ids) == 12
    assert greedy_without_cache(model, source, 12) == hypothesis.ids


def test_explicit_and_fused_attention_give_the_same_gradients():
    passes = attention_passes(SETTINGS, 9)
    assert_close(passes["explicit"](), passes["fused"](), **CLOSE)
    assert [gradient.shape for gradient in passes["fused"]()] == [(1, 4, 9, 8)] * 3


def make_corpus(*texts):
    return Corpus("a corpus", "en", "de", [Pair(text, f"{text[:2]} Hunde") for text in texts], [], [])


# Of 60 pairs that are equally long, as no two bytes are one token, both kinds of batches hold three.
EVEN = make_corpus(*(f"{number} dogs" for number in range(10, 70)))
BYTES = replace(MODEL, source_vocab=SMALLEST_VOCABULARY, target_vocab=SMALLEST_VOCABULARY)
EVEN_EPOCH = replace(SETTINGS, model=BYTES, clock=StillClock(), corpus=EVEN, pairs=3)


def test_a_whole_epoch_counts_each_target_token_once():
    rows = epoch(replace(EVEN_EPOCH, share=1.0))
    assert [row.by for row in rows] == ["ours", "nn.Transformer", "ours, bfloat16"]
    assert {row.task for row in rows} == {"a corpus, 20 of 20 updates"}
    assert [sum(row.values) for row in rows] == [60 * len("10 Hunde.")] * 3  # the point stands for <end>
    assert {row.note for row in rows} == {"0% padding"}


def test_a_share_of_the_epoch_is_so_many_updates():
    rows = epoch(replace(EVEN_EPOCH, share=0.5))
    assert rows[0].task == "a corpus, 10 of 20 updates"
    assert {len(row.values) for row in rows} == {ROUNDS}


def test_padding_is_counted_on_both_sides():
    batch = made_up_batch(SETTINGS, Sentences(2, 3, 5))  # of 10 positions a side, 2 hold padding
    assert several(lambda batch: None, iter([batch] * 2), 2)() == Learned(tokens=16, positions=40, padding=8)


def test_shuffled_batches_hold_each_pair_once_in_an_epoch_in_another_order_in_the_next():
    pairs = [EncodedPair([number, 2], [number] * (number % 4) + [2]) for number in range(3, 13)]
    stream = shuffled_batches(pairs, 4, pad_id=0, start_id=1)
    epochs = [[next(stream) for _ in range(3)] for _ in range(2)]
    orders = [[row[0] for batch in batches for row in batch.source.tolist()] for batches in epochs]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(3, 13))
    assert orders[0] != orders[1]
    for batch in epochs[0]:
        for source, read, target in zip(
            batch.source.tolist(), batch.decoder_input.tolist(), batch.target.tolist(), strict=True
        ):
            assert EncodedPair([id for id in source if id], [id for id in target if id]) in pairs
            assert read == [1, *target[:-1]]


@pytest.mark.parametrize(("shortest", "longest"), [(5, 5), (2, 7)])
def test_made_up_sentences_end_and_are_padded_on_the_right(shortest, longest):
    ids = made_up_sentences(SETTINGS, Sentences(4, shortest, longest))
    assert ids.shape == (4, longest)
    lengths = [row.index(2) + 1 for row in ids.tolist()]
    assert (min(lengths), max(lengths)) == (shortest, longest)
    for row, length in zip(ids.tolist(), lengths, strict=True):
        assert min(row[: length - 1]) > 2
        assert row[length:] == [0] * (longest - length)


# The parts -----------------------------------------------------------------------------------------------------------


def test_rows_of_the_training_step():
    rows = PARTS["train-step"](SETTINGS)
    expected = {"4 sentences of 5 tokens": OURS_AND_PEERS, "3 sentences of 2 to 7 tokens": OURS_AND_PEERS}
    assert by_task(rows) == expected
    assert all("GFLOP/s" in row.note and "measured" in row.note for row in rows)


def test_rows_of_decoding():
    rows = decode(SETTINGS)
    shapes = ["1 sentence of 5 tokens, 6 tokens each", "3 sentences of 2 to 6 tokens, 6 tokens each"]
    tasks = [f"{method}, {shape}" for shape in shapes for method in ("greedy", "beam 3")]
    assert by_task(rows) == {task: ["ours", "Hugging Face Marian", "CTranslate2"] for task in tasks}
    assert [row.note for row in rows[:3]] == ["", *["1 of 1 outputs as ours"] * 2]
    assert [row.note for row in rows[-3:]] == ["", *["3 of 3 outputs as ours"] * 2]


def test_rows_of_attention():
    rows = attention(SETTINGS)
    tasks = [f"{length} positions, 4 heads, forward and backward" for length in SETTINGS.attention]
    assert by_task(rows) == {task: ["fused", "explicit"] for task in tasks}
    assert all(row.note.endswith("MiB at most") for row in rows)


def test_rows_of_the_cache_are_per_token():
    rows = cache(replace(SETTINGS, clock=StillClock()))
    assert by_task(rows) == {f"one token of {length}": ["with the cache", "without"] for length in SETTINGS.cache}
    assert [row.values[0] for row in rows] == [1 / 4, 1 / 4, 1 / 8, 1 / 8]


def test_agreement_counts_equal_outputs():
    assert agreement([(3, 4), (5,)], [(3, 4), (6,)]) == "1 of 2 outputs as ours"


# Measuring -----------------------------------------------------------------------------------------------------------


def test_tasks_take_turns_in_either_order_and_undisturbed():
    calls, collecting = [], []

    def task(name):
        calls.append(name)
        collecting.append(gc.isenabled())
        return len(calls)

    samples = Clock(seconds=0.0, fewest=3, most=9, shortest=0.0).compare(
        {name: lambda name=name: task(name) for name in "ab"}, CPU
    )
    assert "".join(calls) == "aabb" + "ab" + "ba" + "ab"  # the first four warm up
    assert not any(collecting[4:])
    assert gc.isenabled()
    assert samples["a"].results == (5, 8, 9)
    assert all(len(sample.seconds) == 3 and min(sample.seconds) > 0 for sample in samples.values())


def test_rounds_go_on_while_there_is_time_and_end_at_the_most():
    assert len(Clock(seconds=60.0, fewest=1, most=4, shortest=0.0).compare({"": int}, CPU)[""].seconds) == 4


def test_a_short_task_is_called_several_times_in_a_round():
    calls = []
    Clock(seconds=0.0, fewest=1, most=1, shortest=0.01).compare({"": lambda: calls.append(0)}, CPU)
    assert len(calls) > 10


def test_peak_memory_is_the_most_at_a_time_and_not_the_sum():
    def task():
        first = torch.ones(1_000_000)  # 4 MB, released before the next two: 2 MB and 3 MB
        del first
        return torch.ones(500_000), torch.ones(750_000)

    assert peak_memory(task, CPU) == 5_000_000
    inputs = torch.ones(1000)
    assert peak_memory(lambda: inputs.view(10, 100), CPU) == 0


def test_explicit_attention_holds_the_weights_and_fused_does_not():
    length = 512
    weights = 4 * length**2 * 4  # bytes: heads, query, key, float32
    passes = attention_passes(SETTINGS, length)
    assert peak_memory(passes["explicit"], CPU) > 2 * weights  # the weights, and a gradient of the same size
    assert peak_memory(passes["fused"], CPU) < weights


def test_training_operations_are_those_of_the_formula():
    batch = made_up_batch(SETTINGS, Sentences(3, 5, 5))
    d_model, d_ff, source, target = MODEL.d_model, MODEL.d_ff, 3 * 5, 3 * 5
    products = (
        MODEL.encoder_layers * source * (4 * d_model**2 + 2 * d_model * d_ff + 2 * 5 * d_model)
        + MODEL.decoder_layers * target * (6 * d_model**2 + 2 * d_model * d_ff + 2 * 2 * 5 * d_model)
        + MODEL.decoder_layers * source * 2 * d_model**2  # keys and values of the memory
        + target * d_model * MODEL.target_vocab
    )
    # Two operations each; the backward pass has two products for each one of the forward pass.
    assert training_operations(SETTINGS, batch) == 3 * 2 * products


def test_the_peak_of_a_cpu_is_that_of_a_product():
    assert processor_peak(CPU, torch.float32, StillClock()) == (2 * 1024**3, "measured")


# The table -----------------------------------------------------------------------------------------------------------


def test_spread_is_median_and_quartiles():
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 2.0, 4.0)
    assert spread([7.0]) == (7.0, 7.0, 7.0)


def test_times_as_fast_is_the_median_of_pairs():
    times = {"ours": [1.0, 2.0, 10.0], "theirs": [3.0, 4.0, 10.0]}  # ratios 3, 2, 1; of the medians too 2
    assert [row.speed_up for row in compared("part", "task", times)] == [1.0, 2.0]
    drifting = {"ours": [1.0, 2.0, 4.0], "theirs": [6.0, 2.0, 4.0]}  # ratios 6, 1, 1; of the medians 2
    assert [row.speed_up for row in compared("part", "task", drifting)] == [1.0, 1.0]
    speeds = compared("part", "task", {"ours": [30.0], "theirs": [10.0]}, "tokens/s", {"theirs": "slow"})
    assert [(row.speed_up, row.note) for row in speeds] == [(1.0, ""), (3.0, "slow")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.012345, "0.0123"), (1.0, "1.00"), (12.345, "12.3"), (99.96, "100"), (123.4, "123"), (12345.0, "12,300")],
)
def test_three_significant_digits(value, text):
    assert significant(value) == text


def test_quantities_have_a_unit_that_suits_them():
    assert [quantity(value, "s") for value in (1.5, 0.0234, 0.0000567)] == ["1.50 s", "23.4 ms", "56.7 µs"]
    assert quantity(0.9, "s", scale=1.1) == "0.900 s"
    assert quantity(1234.5, "tokens/s") == "1,230 tokens/s"


def test_the_table_is_markdown():
    table = markdown([Row("epoch", "text", "ours", (1.0, 2.0, 3.0), "s", 1.0, "note")])
    head, rule, line = table.splitlines()
    assert head.count("|") == rule.count("|") == line.count("|") == len(HEADER) + 1
    assert line == "| epoch | text | ours | 2.00 s | 1.50 s to 2.50 s | 1.00 | note |"


def test_the_build_of_torch_is_named_though_its_metadata_leaves_it_out(monkeypatch):
    monkeypatch.setattr(report, "version", lambda package: "2.13.0")
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
    assert "torch 2.13.0+cu130, transformers 2.13.0" in report.surroundings(SETTINGS)[0]


def test_the_command_prints_the_table_and_writes_it(tmp_path, capsys):
    path = tmp_path / "table.md"
    assert main(["--threads", "1", "--only", "cache", "epoch", "--output", str(path)], SETTINGS) == 0
    printed = capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == printed
    assert f"torch {torch.__version__}" in printed
    assert "; 1 of " in printed  # cores
    assert NO_DATA in printed
    assert printed.count("\n| cache | ") == 4


def test_the_command_reads_the_folder_and_runs_all_parts_with_it(tmp_path, capsys):
    for part in ("train", "val", "test_2016_flickr"):
        for side, language in enumerate(("en", "de")):
            text = "".join(f"{pair[side]}\n" for pair in EVEN.train)
            (tmp_path / f"{part}.{language}.gz").write_bytes(gzip.compress(text.encode()))
    main(["--threads", "1", "--data", str(tmp_path), "--share", "0.25"], replace(SETTINGS, model=BYTES, pairs=3))
    printed = capsys.readouterr().out
    assert [part for part in PARTS if f"\n| {part} | " in printed] == list(PARTS)
    assert "| Multi30k, 5 of 20 updates |" in printed
    assert NO_DATA not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "train.en.gz"),
        (["--share", "0"], "--share 0.0"),
        (["--share", "1.5"], "--share 1.5"),
        (["--threads", "0"], "--threads 0"),
        (["--only", "all"], "invalid choice"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_measured(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
