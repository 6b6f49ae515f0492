"""A trimmed checkpoint cuts the corpus into the same tokens and computes the same with them; no text is impossible."""

import json
import shutil
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="trimming needs requirements-dev.txt")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel

from convert.__main__ import main
from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.trim import TrimResult, trim
from copilot import child_process
from tests.helpers.qwen2_tokenizer import ROWS, make_qwen2_tokenizer
from tests.helpers.tiny_adapter import load, logits
from tests.helpers.tiny_checkpoint import TEMPLATE, make_checkpoint

CORPUS = """The recording is calm, isn't it? Alpha (8-13 Hz) falls by 12.5 % between 10:30 and 11:45.
Die Überraschung war groß; señor, voilà, naïve café. Привет, мир! 你好,世界。 こんにちは 안녕하세요 שלום 🙂🧠\r
\tindented   and spaced \n\n\n  - a list_of(things) {"key": [1, 2, 3]} <|im_start|>user\nhello<|im_end|>
Fp1: a b c d e z y x
"""
OTHER = "Zürich, zażółć gęślą jaźń; ελληνικά; हिन्दी; QWERTY 67890 \u0000\u0001 ~^|` ﬁ ½ 👩‍👩‍👧"


@dataclass
class Pair:
    """A model before and after."""

    old: Path
    new: Path
    report: TrimResult

    @cached_property
    def tokenizers(self):
        return tuple(Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (self.old, self.new))

    @cached_property
    def ids(self):
        """Old id -> new id."""
        old, new = (tokenizer.get_vocab() for tokenizer in self.tokenizers)
        return {old[token]: number for token, number in new.items()}


@pytest.fixture(scope="module")
def tiny_pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return trimmed(make_checkpoint(folder / "old"), folder / "new")


@pytest.fixture(scope="module")
def qwen2_pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen2")
    return trimmed(make_model(folder / "old", make_qwen2_tokenizer(), ROWS), folder / "new")


@pytest.fixture(scope="module", params=["tiny_pair", "qwen2_pair"])
def pair(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture
def copy(tiny, tmp_path):
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def make_model(folder, tokenizer, rows):
    """A random model of two layers for a tokenizer of any size."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(2)
    config = Qwen2Config(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def trimmed(old, new):
    return Pair(old, new, trim(old, [text_file(old.parent, CORPUS)], new))


def text_file(folder, text, name="corpus.txt"):
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder / name


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def encode(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_the_corpus_keeps_its_tokens_one_to_one(pair):
    old, new = pair.tokenizers
    assert encode(new, CORPUS) == [pair.ids[token] for token in encode(old, CORPUS)]
    assert pair.report.corpus_tokens == len(encode(new, CORPUS))
    assert pair.report.after.tokens < pair.report.before.tokens


def test_transformers_cuts_as_the_tokenizers_file_says(pair):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pair.new)
    assert tokenizer(CORPUS, add_special_tokens=False)["input_ids"] == encode(pair.tokenizers[1], CORPUS)
    chat = [{"role": "system", "content": "Calm?"}, {"role": "user", "content": OTHER}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert rendered == AutoTokenizer.from_pretrained(pair.old).apply_chat_template(
        chat, tokenize=False, add_generation_prompt=True
    )


def test_text_outside_the_corpus_comes_back_whole(pair):
    _, new = pair.tokenizers
    for text in (OTHER, "".join(map(chr, range(256)))):
        assert new.decode(encode(new, text), skip_special_tokens=False) == unicodedata.normalize("NFC", text)


@given(text=st.text())
def test_any_text_comes_back_whole(pair, text):
    _, new = pair.tokenizers
    assert new.decode(encode(new, text), skip_special_tokens=False) == unicodedata.normalize("NFC", text)


def test_all_bytes_letters_and_digits_are_tokens(pair):
    _, new = pair.tokenizers
    assert set(ByteLevel.alphabet()) <= new.get_vocab().keys()
    old, _ = pair.tokenizers
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789":
        for text in (letter, " " + letter):
            assert len(encode(new, text)) == len(encode(old, text))


def test_every_kept_token_can_still_be_built(pair):
    old, new = pair.tokenizers
    texts = {token: old.decode([token], skip_special_tokens=False) for token in pair.ids}
    buildable = {token: text for token, text in texts.items() if encode(old, text) == [token]}
    assert len(buildable) > len(texts) - 200  # single bytes beyond ASCII are no text
    assert all(encode(new, text) == [pair.ids[token]] for token, text in buildable.items())


def test_control_tokens_stay_what_they_are(pair):
    old, new = pair.tokenizers
    kinds = [{token.content: token.special for token in t.get_added_tokens_decoder().values()} for t in pair.tokenizers]
    assert kinds[0] == kinds[1]
    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= kinds[1].keys()
    for token in kinds[1]:
        assert encode(new, f"a{token}b") == [pair.ids[i] for i in encode(old, f"a{token}b")]
        assert new.decode(encode(new, f"a{token}")) == old.decode(encode(old, f"a{token}"))


def test_the_configuration_names_the_same_tokens_by_their_new_ids(pair):
    old, new = pair.tokenizers
    for name in ("config.json", "generation_config.json"):
        before, after = (json.loads((folder / name).read_text()) for folder in (pair.old, pair.new))
        assert before.keys() == after.keys()
        changed = {key for key in before if before[key] != after[key]}
        assert changed <= {"vocab_size", "eos_token_id", "pad_token_id", "bos_token_id"}
        for key in ("eos_token_id", "pad_token_id", "bos_token_id"):
            if before.get(key) is not None:
                assert new.id_to_token(after[key]) == old.id_to_token(before[key])


def test_logits_of_kept_tokens_are_the_same(pair):
    old, new = pair.tokenizers
    before, after = (
        logits(load(folder), encode(tokenizer, CORPUS)) for folder, tokenizer in ((pair.old, old), (pair.new, new))
    )
    kept = sorted(pair.ids)
    assert [pair.ids[token] for token in kept] == list(range(after.shape[1]))
    assert np.abs(before[:, kept] - after).max() < 1e-5 * before.std()


def greedy_by_transformers(folder, tokens, allowed):
    import torch

    model, text = load(folder), list(tokens)
    for _ in range(12):
        with torch.no_grad():
            scores = model(torch.tensor([text])).logits[0, -1, allowed]
        text.append(allowed[int(scores.argmax())])
    return text[len(tokens) :]


def greedy_by_llama_cpp(folder, text, length):
    """Written in a child process: the tokens that ``text`` became and those of the answer."""
    from convert.gguf import to_gguf
    from copilot.llm.llama_cpp import NativeModel

    to_gguf(folder, folder.parent / "greedy.gguf", type="f32")
    model = NativeModel(folder.parent / "greedy.gguf", threads=1, context=512, exact=True)
    tokens = model.tokenize(text, control=True)
    model.read(tokens)
    answer = []
    for _ in range(length):
        answer.append(int(model.logits().argmax()))
        model.read(answer[-1:])
    return tokens, answer


def test_greedy_answers_stay_the_same_in_transformers_and_llama_cpp(pair):
    old, new = pair.tokenizers
    asked = "<|im_start|>user\nhello<|im_end|>\n"
    expected = greedy_by_transformers(pair.old, encode(old, asked), sorted(pair.ids))
    tokens = encode(new, asked)
    answer = greedy_by_transformers(pair.new, tokens, list(range(len(pair.ids))))
    assert [pair.ids[token] for token in expected] == answer
    assert child_process.run(greedy_by_llama_cpp, pair.new, asked, len(answer)) == (tokens, answer)


def test_the_report_tells_sizes_and_speed(pair):
    report, (old, new) = pair.report, pair.tokenizers
    before, after = (Checkpoint.open(folder).shape for folder in (pair.old, pair.new))
    assert (report.before.tokens, report.after.tokens) == (old.get_vocab_size(), new.get_vocab_size())
    assert (report.before.rows, report.after.rows) == (before.vocabulary, after.vocabulary)
    assert report.after.rows % 64 == 0
    assert report.before.parameters - report.after.parameters == (before.vocabulary - after.vocabulary) * before.hidden
    assert report.after.bytes == 4 * report.after.parameters
    for speed in (report.speed_before, report.speed_after):
        assert speed.prompt > 0
        assert speed.decode > 0
    assert "F16" in report.measured_on


def test_a_full_vocabulary_shrinks_and_decodes_faster(qwen2_pair):
    report = qwen2_pair.report
    assert report.after.rows < 0.01 * ROWS
    assert report.speed_after.decode > 1.5 * report.speed_before.decode
    table = "\n".join(report.lines())
    assert "151,936" in table
    assert "decoded tokens/s" in table


def test_an_untied_head_is_cut_with_the_embedding(tmp_path):
    old = make_checkpoint(tmp_path / "old", tied=False)
    trim(old, [text_file(tmp_path, "calm")], tmp_path / "new")
    pair = Pair(old, tmp_path / "new", None)
    kept = sorted(pair.ids)
    before, after = Checkpoint.open(old), Checkpoint.open(tmp_path / "new")
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        assert (before.read_rows(name)[kept] == after.read_rows(name)).all()
    assert not (after.read_rows("lm_head.weight") == after.read_rows("model.embed_tokens.weight")).all()


def test_of_json_lines_every_string_counts_and_no_name(tiny, tmp_path):
    old = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    lines = [{"messages": [{"role": "x", "content": " Frontal alpha"}], "weight": 3}, ["diagnosis", None]]
    text = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    report = trim(tiny, [text_file(tmp_path, text, "corpus.jsonl")], tmp_path / "new")
    wanted = [*encode(old, " Frontal alpha"), *encode(old, "diagnosis"), *encode(old, "x")]
    assert report.texts == 3
    assert report.corpus_tokens == len(wanted)
    assert set(wanted) <= Pair(tiny, tmp_path / "new", report).ids.keys()


def test_lists_of_ids_and_older_tokenizer_settings_are_renumbered(copy, tmp_path):
    old = Tokenizer.from_file(str(copy / "tokenizer.json"))
    named = {"eos_token_id": [1, 0], "suppress_tokens": [-1, 5], "bad_words_ids": [[60, 61], [62]], "max_new_tokens": 7}
    edit(copy / "generation_config.json", **named)
    added = {str(number): {"content": token.content} for number, token in old.get_added_tokens_decoder().items()}
    edit(copy / "tokenizer_config.json", added_tokens_decoder=added)
    trim(copy, [text_file(tmp_path, "calm")], tmp_path / "new")
    ids = Pair(copy, tmp_path / "new", None).ids
    written = json.loads((tmp_path / "new" / "generation_config.json").read_text())
    assert written["eos_token_id"] == [ids[1], ids[0]]
    assert written["suppress_tokens"] == [-1, ids[5]]
    assert written["bad_words_ids"] == [[ids[60], ids[61]], [ids[62]]]
    assert written["max_new_tokens"] == 7
    decoder = json.loads((tmp_path / "new" / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    assert decoder == {str(ids[int(number)]): token for number, token in added.items()}


def change_tokenizer(folder, change):
    document = json.loads((folder / "tokenizer.json").read_text())
    change(document)
    (folder / "tokenizer.json").write_text(json.dumps(document))


def test_the_token_put_before_every_text_is_renumbered(copy, tmp_path):
    last = max(Tokenizer.from_file(str(copy / "tokenizer.json")).get_vocab().values())
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing("<eeg> $A", None, [("<eeg>", last)])]
    )
    tokenizer.save(str(copy / "tokenizer.json"))
    trim(copy, [text_file(tmp_path, "calm")], tmp_path / "new")
    new = Tokenizer.from_file(str(tmp_path / "new" / "tokenizer.json"))
    assert new.encode("calm").ids == [new.token_to_id("<eeg>"), *encode(new, "calm")]
    assert new.token_to_id("<eeg>") < last


def test_a_model_that_cannot_become_a_gguf_file_is_trimmed_without_a_speed(copy, tmp_path):
    (copy / "chat_template.jinja").unlink()
    report = trim(copy, [text_file(tmp_path, "calm")], tmp_path / "new")
    assert report.speed_before is report.speed_after is None
    assert "chat template" in report.measured_on
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".json", ".safetensors", ".md"}


def test_a_model_that_becomes_a_file_but_does_not_run_is_trimmed_and_the_report_says_which(tmp_path):
    deep = make_checkpoint(tmp_path / "old", layers=513, hidden=8, ffn=8, heads=2)  # one more than llama.cpp takes
    report = trim(deep, [text_file(tmp_path, "calm")], tmp_path / "new")
    assert report.speed_before is report.speed_after is None
    assert report.measured_on.startswith("not measured: The process for speed")
    assert "GGUF" not in report.measured_on


def test_the_command_line_trims_and_prints_json(tiny, tmp_path, capsys):
    corpus = text_file(tmp_path, "calm")
    arguments = ["trim", "--model", str(tiny), "--corpus", str(corpus), "--out", str(tmp_path / "new"), "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["after"]["rows"] < report["before"]["rows"]
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err


def missing(_folder, corpus):
    corpus.unlink()


def empty(_folder, corpus):
    corpus.write_text("")


def binary(_folder, corpus):
    corpus.write_bytes(bytes(range(256)))


def not_json(_folder, corpus):
    corpus.rename(corpus.with_suffix(".jsonl"))
    corpus.mkdir()


def no_tokenizer(folder, _corpus):
    (folder / "tokenizer.json").unlink()


def damaged_tokenizer(folder, _corpus):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text()[:5000])


def words_only(folder, _corpus):
    tokenizer = Tokenizer(models.WordLevel({"calm": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def pieces_with_spaces(folder, _corpus):
    tokenizer = Tokenizer(models.BPE({"\u2581": 0, "a": 1}, [], byte_fallback=True))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))


def prefixes(folder, _corpus):
    change_tokenizer(folder, lambda document: document["model"].update(continuing_subword_prefix="##"))


def byte_missing(folder, _corpus):
    change_tokenizer(folder, lambda document: document["model"]["vocab"].pop("\u0100"))


def strange_id(folder, _corpus):
    edit(folder / "generation_config.json", eos_token_id=[1, 9999])


def strange_added_token(folder, _corpus):
    edit(folder / "tokenizer_config.json", added_tokens_decoder={"9999": {"content": "<x>"}})


def added_tokens_without_ids(folder, _corpus):
    edit(folder / "tokenizer_config.json", added_tokens_decoder={"<eeg>": 418})


def ids_nested_deeply(folder, _corpus):
    edit(folder / "generation_config.json", bad_words_ids=json.loads("[" * 600 + "]" * 600))


def words_for_ids(folder, _corpus):
    edit(folder / "generation_config.json", eos_token_id="<|im_end|>")


def too_few_rows(folder, _corpus):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"<{i}>" for i in range(9)])
    tokenizer.save(str(folder / "tokenizer.json"))


def damaged_template(folder, _corpus):
    (folder / "chat_template.jinja").write_text(TEMPLATE + "{{ 'open")


def damaged_weights(folder, _corpus):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (missing, "cannot be read"),
        (empty, "no text"),
        (binary, "not UTF-8"),
        (not_json, "cannot be read"),
        (no_tokenizer, "no tokenizer.json"),
        (damaged_tokenizer, "damaged"),
        (words_only, "not byte-level BPE"),
        (pieces_with_spaces, "not byte-level BPE"),
        (prefixes, "not those of byte-level BPE"),
        (byte_missing, "damaged"),
        (strange_id, "names 9999"),
        (strange_added_token, "names 9999"),
        (added_tokens_without_ids, "not ordered by tokens' ids"),
        (ids_nested_deeply, "where a token's id should be"),
        (too_few_rows, "427 has no row in the embedding of 424"),
        (words_for_ids, "where a token's id should be"),
        (damaged_template, "template is damaged"),
        (damaged_weights, "damaged or cut short"),
    ],
)
def test_what_cannot_be_trimmed_is_refused_in_one_sentence(copy, tmp_path, capsys, spoil, reason):
    corpus, out = text_file(tmp_path, "calm"), tmp_path / "out"
    spoil(copy, corpus)
    assert main(["trim", "--model", str(copy), "--corpus", str(corpus), "--out", str(out)]) == 2
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert "\n" not in message
    assert not list(tmp_path.glob("*out*"))


def test_a_line_that_is_no_json_is_named(tiny, tmp_path):
    corpus = text_file(tmp_path, '{"text": "calm"}\n{"text": \n', "corpus.jsonl")
    with pytest.raises(ConvertError, match=r"Line 2 of .* is not JSON"):
        trim(tiny, [corpus], tmp_path / "out")


def trim_on_a_full_disk(folder, corpus, out):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    trim(folder, [corpus], out)


def test_a_full_disk_leaves_nothing_behind(tiny, tmp_path):
    corpus = text_file(tmp_path, "calm")
    with pytest.raises(ConvertError, match="could not be written"):
        child_process.run(trim_on_a_full_disk, tiny, corpus, tmp_path / "new")
    assert list(tmp_path.iterdir()) == [corpus]
