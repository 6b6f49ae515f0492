"""The figures of a comparison are what anybody would compute from the two models' own probabilities."""

import io
import json
from contextlib import redirect_stdout

import gguf
import numpy as np
import pytest

from convert import probes
from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.measure import measure
from tests.tiny_model import CHATML, write_tiny_gguf

CONTEXT = 256
CONVERSATIONS = [json.loads(line) for line in probes.FILE.read_text(encoding="utf-8").splitlines()]


def bigram(path, noise=0.0):
    """A model whose blocks add nothing: what follows depends on the last token alone, so numpy can say it too."""
    write_tiny_gguf(path, context=CONTEXT, says="x")
    data = np.memmap(path, mode="r+")
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.name == "output.weight":
            start = int(tensor.data_offset)
            random = np.random.default_rng(5).standard_normal(tensor.data.shape)
            weights = (tensor.data + noise * random).astype(np.float16)
            data[start : start + weights.nbytes] = weights.view(np.uint8).reshape(-1)
    data.flush()
    return path


def log_probabilities(path):
    """Of every token after every token, shape (before, after)."""
    tensors = {tensor.name: tensor.data.astype(np.float64) for tensor in gguf.GGUFReader(path).tensors}
    embedding = tensors["token_embd.weight"]
    scores = embedding / np.sqrt((embedding**2).mean(axis=1, keepdims=True)) @ tensors["output.weight"].T
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def tokenizer(path):
    from llama_cpp import Llama

    model = Llama(str(path), vocab_only=True, verbose=False)
    return lambda text, special=False: model.tokenize(text.encode(), add_bos=False, special=special)


@pytest.fixture(scope="module", params=[0.1, 0.3], ids=["agreeing on the label", "not agreeing"])
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return bigram(folder / "source.gguf"), bigram(folder / "other.gguf", noise=request.param)


@pytest.fixture(scope="module")
def measured(pair):
    return measure(read_gguf(pair[0]), pair[1], "other")


def test_the_figures_are_those_that_numpy_computes_from_the_weights(pair, measured):
    p, q = (log_probabilities(path) for path in pair)
    tokens = tokenizer(pair[0])
    kl, surprise, same, agree = [], [], [], []
    for conversation in CONVERSATIONS:
        prefix = tokens(conversation["prefix"])
        answer = tokens(conversation["prefix"] + conversation["answer"])[len(prefix) :][: CONTEXT // 2]
        before = [prefix[-1], *answer[:-1]]
        kl += (np.exp(p[before]) * (p[before] - q[before])).sum(axis=1).tolist()
        surprise += [(-p[a, b], -q[a, b]) for a, b in zip(before, answer, strict=True)]
        same += (p[before].argmax(axis=1) == q[before].argmax(axis=1)).tolist()
        labels = [tokens(conversation["prefix"] + label)[len(prefix) :] for label in conversation["labels"]]
        chains = [list(zip([prefix[-1], *label], label, strict=False)) for label in labels]
        best = [int(np.argmax([sum(model[pair] for pair in chain) for chain in chains])) for model in (p, q)]
        agree.append(best[0] == best[1])
    assert 0.1 < np.mean(same) < 0.9
    assert measured.mean_kl == pytest.approx(np.mean(kl), rel=0.01)
    assert measured.p99_kl == pytest.approx(np.percentile(kl, 99), rel=0.01)
    assert measured.source_perplexity == pytest.approx(np.exp(np.mean(surprise, axis=0)[0]), rel=0.02)
    assert measured.perplexity == pytest.approx(np.exp(np.mean(surprise, axis=0)[1]), rel=0.02)
    assert measured.same_top1 == pytest.approx(np.mean(same), abs=0.01)
    assert measured.label_agreement == pytest.approx(np.mean(agree), abs=0.001)
    assert measured.measured_on.answer_tokens == len(kl)


def test_a_model_agrees_with_itself(tmp_path):
    path = write_tiny_gguf(tmp_path / "tiny.gguf", context=CONTEXT)
    measured = measure(read_gguf(path), path, "itself")
    assert measured.mean_kl == measured.p99_kl == 0
    assert measured.same_top1 == measured.label_agreement == 1
    assert measured.perplexity == measured.source_perplexity


def test_the_figures_say_what_they_were_measured_on(measured):
    on = measured.measured_on
    assert on.conversations == on.cut == len(CONVERSATIONS)  # this model's context is far too small for any of them
    assert on.text_sha256 == probes.file_sha256()
    assert "threads" in on.speed
    assert "OPENMP" in on.processor
    assert min(measured.speed.prompt, measured.speed.decode, measured.source_speed.prompt) > 0


def test_scores_that_are_no_numbers_cost_a_sentence(tmp_path):
    source, broken = bigram(tmp_path / "source.gguf"), bigram(tmp_path / "broken.gguf", noise=np.nan)
    with pytest.raises(ConvertError, match=r"broken\.gguf cannot be compared .* not all numbers"):
        measure(read_gguf(source), broken, "broken")


def test_a_broken_chat_template_costs_a_sentence(tmp_path):
    path = write_tiny_gguf(tmp_path / "tiny.gguf", context=CONTEXT, chat_template="{% for %}")
    with pytest.raises(ConvertError, match="chat template cannot be used"):
        measure(read_gguf(path), path, "itself")


def test_prompts_are_those_of_the_files_chat_template(tmp_path):
    from llama_cpp import Llama
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    from copilot.engine.native import NativeModel

    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    model = NativeModel(path, threads=1, context=64)
    read = probes.read_probes(model, CHATML)
    model.close()
    vocabulary = Llama(str(path), vocab_only=True, verbose=False)
    formatter = Jinja2ChatFormatter(CHATML, eos_token="<|im_end|>", bos_token="<|endoftext|>")
    for probe, conversation in zip(read, CONVERSATIONS, strict=True):
        expected = formatter(messages=conversation["messages"]).prompt + conversation["prefix"]
        assert vocabulary.detokenize(list(probe.prompt), special=True).decode() == expected
        assert vocabulary.detokenize(list(probe.answer)).decode() == conversation["answer"]


def test_the_shipped_conversations_are_those_of_todays_prompt():
    """Where this fails, the prompt has changed: python -m copilot.training.probes > convert/probes.jsonl"""
    from copilot.training.probes import main

    with redirect_stdout(io.StringIO()) as written:
        main()
    assert written.getvalue() == probes.FILE.read_text(encoding="utf-8")
