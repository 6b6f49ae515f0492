"""The figures of a comparison are what anybody would compute from the two models' own probabilities."""

import copy
import hashlib
import io
import itertools
import json
import re
from contextlib import redirect_stdout

import gguf
import numpy as np
import pytest

from convert import eval_prompts, speed
from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.quantize.evaluate import measure
from tests.helpers.tiny_checkpoint import make_checkpoint, make_tokenizer
from tests.helpers.tiny_model import CHATML, write_tiny_gguf

CONTEXT = 256
CONVERSATIONS = [json.loads(line) for line in eval_prompts.FILE.read_text(encoding="utf-8").splitlines()]


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


def tokenizer_of_halves():
    """Makes two tokens of most labels (longer ones are less likely whatever a model has read), and short prompts."""
    labels = CONVERSATIONS[0]["labels"]
    texts = [message["content"] for conversation in CONVERSATIONS for message in conversation["messages"]]
    texts = [re.sub("|".join(label.strip() for label in labels), "", text) for text in texts]
    halves = [half for label in labels for half in (label[:3], label[3:])]
    return make_tokenizer([*texts, *halves * 500], size=600)


def checkpoint_log_probabilities(folder, read):
    """What Hugging Face's model says: for each probe the rows of its answer, and the score of each of its labels."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    def log_softmax(tokens, **cache):
        logits = model(input_ids=torch.tensor([tokens]), **cache).logits[0].double()
        return torch.log_softmax(logits, dim=1).numpy()

    for probe in read:
        with torch.no_grad():
            rows = log_softmax((*probe.prompt, *probe.answer))[len(probe.prompt) - 1 : -1]
            prompt = model(input_ids=torch.tensor([probe.prompt])).past_key_values
            scores = []
            for label in probe.labels:
                behind = np.vstack([rows[:1], log_softmax(label, past_key_values=copy.deepcopy(prompt))[:-1]])
                scores.append(behind[range(len(label)), label].sum())
        yield rows, scores


def test_every_token_sees_all_of_the_prompt_as_in_hugging_faces_model(tmp_path):
    """Here attention and positions matter, prompts fit whole, and no label is one token."""
    pytest.importorskip("transformers", reason="conversion needs requirements-dev.txt")
    from convert.gguf import to_gguf
    from copilot.llm.llama_cpp import NativeModel

    paths, of_halves = [], tokenizer_of_halves()
    for name, spread in (("source", 0.3), ("other", 0.2)):
        make_checkpoint(tmp_path / name, tokenizer=of_halves, max_position_embeddings=2048, initializer_range=spread)
        paths.append(tmp_path / f"{name}.gguf")
        to_gguf(tmp_path / name, paths[-1], type="f32")
    source = read_gguf(paths[0])
    model = NativeModel(paths[0], threads=1, context=64)
    read = eval_prompts.read_eval_prompts(model, source.metadata["tokenizer.chat_template"])
    model.close()
    kl, surprise, same, agree = [], [], [], []
    of_both = zip(*(checkpoint_log_probabilities(tmp_path / name, read) for name in ("source", "other")), strict=True)
    for probe, ((p, p_labels), (q, q_labels)) in zip(read, of_both, strict=True):
        kl += (np.exp(p) * (p - q)).sum(axis=1).tolist()
        surprise += [(-p[i, token], -q[i, token]) for i, token in enumerate(probe.answer)]
        same += (p.argmax(axis=1) == q.argmax(axis=1)).tolist()
        agree.append(np.argmax(p_labels) == np.argmax(q_labels))
    measured = measure(source, paths[1], "other")
    assert measured.measured_on.cut == 0
    assert min(len(label) for label in read[0].labels) > 1
    assert 0.1 < np.mean(agree) < 0.9
    assert measured.label_agreement == pytest.approx(np.mean(agree), abs=0.001)
    assert measured.same_top1 == pytest.approx(np.mean(same), abs=0.001)
    assert measured.mean_kl == pytest.approx(np.mean(kl), rel=1e-3)
    assert measured.p99_kl == pytest.approx(np.percentile(kl, 99), rel=1e-3)
    assert [measured.source_perplexity, measured.perplexity] == pytest.approx(
        np.exp(np.mean(surprise, axis=0)), rel=1e-3
    )


def test_a_context_without_room_for_a_prompt_costs_a_sentence(tmp_path):
    tokens = tokenizer(bigram(tmp_path / "vocabulary.gguf"))
    of = CONVERSATIONS[0]
    prefix = len(tokens(of["prefix"]))
    least = 1 + max(len(tokens(of["prefix"] + label)) - prefix for label in of["labels"])
    path = write_tiny_gguf(tmp_path / "least.gguf", context=least)
    assert measure(read_gguf(path), path, "itself").label_agreement == 1
    for context in (1, 4, least - 1):
        path = write_tiny_gguf(tmp_path / f"{context}.gguf", context=context)
        with pytest.raises(ConvertError, match=f"context of {context} tokens is too small .* at least {least}"):
            measure(read_gguf(path), path, "itself")


def test_the_first_round_of_a_speed_measurement_is_not_counted(tmp_path, monkeypatch):
    """By a clock on which prompts and answers take 0.1 s, then 1, 2, 3, 4 and 5 s."""
    clock = itertools.accumulate(itertools.chain.from_iterable((0, s, s) for s in (0.1, 1, 2, 3, 4, 5)))
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(speed.child_process, "run", lambda function, *args: function(*args))
    (found,) = speed.measure_speeds([(path, range(256))])
    assert found.prompt == pytest.approx(speed.PROMPT_TOKENS / 3)
    assert found.decode == pytest.approx(speed.DECODED_TOKENS / 3)


def test_a_model_agrees_with_itself(tmp_path):
    path = write_tiny_gguf(tmp_path / "tiny.gguf", context=CONTEXT)
    measured = measure(read_gguf(path), path, "itself")
    assert measured.mean_kl == measured.p99_kl == 0
    assert measured.same_top1 == measured.label_agreement == 1
    assert measured.perplexity == measured.source_perplexity


def test_the_figures_say_what_they_were_measured_on(measured):
    import llama_cpp

    on = measured.measured_on
    assert on.conversations == on.cut == len(CONVERSATIONS)  # this model's context is far too small for any of them
    assert on.text_sha256 == hashlib.sha256(eval_prompts.FILE.read_bytes()).hexdigest()
    assert f"{speed.usable_threads()} threads" in on.speed
    assert set(on.processor) == set(re.findall(r"(\w+) = [1-9]", llama_cpp.llama_print_system_info().decode()))
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

    from copilot.llm.llama_cpp import NativeModel

    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    model = NativeModel(path, threads=1, context=64)
    read = eval_prompts.read_eval_prompts(model, CHATML)
    model.close()
    vocabulary = Llama(str(path), vocab_only=True, verbose=False)
    formatter = Jinja2ChatFormatter(CHATML, eos_token="<|im_end|>", bos_token="<|endoftext|>")
    for probe, conversation in zip(read, CONVERSATIONS, strict=True):
        expected = formatter(messages=conversation["messages"]).prompt + conversation["prefix"]
        assert vocabulary.detokenize(list(probe.prompt), special=True).decode() == expected
        assert vocabulary.detokenize(list(probe.answer)).decode() == conversation["answer"]


def test_the_shipped_conversations_are_those_of_todays_prompt():
    """Where this fails, the prompt has changed: python -m copilot.training.make_eval_prompts > convert/probes.jsonl"""
    from copilot.training.make_eval_prompts import main

    with redirect_stdout(io.StringIO()) as written:
        main([])
    assert written.getvalue() == eval_prompts.FILE.read_text(encoding="utf-8")
