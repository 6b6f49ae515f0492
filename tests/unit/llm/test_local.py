import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from copilot.llm.base import ContextError, CutOff, EngineError, PromptProgress, Scores, Token, Waiting
from copilot.llm.local import LlamaEngine
from tests.helpers.tiny_model import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[3]
SHORT = [{"role": "user", "content": "hello"}]
AROUND_CONTENT = 8  # <|im_start|> user \n ... <|im_end|> \n <|im_start|> assistant \n


def user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def progress_of(events) -> list[PromptProgress]:
    return [event for event in events if isinstance(event, PromptProgress)]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", metadata={"eeg_copilot.codec": "bands"})


@pytest.fixture
def engine(path):
    engine = LlamaEngine(path, threads=1, context=2048)
    yield engine
    engine.close()


@pytest.fixture
def speaker(tmp_path):
    """A model that says one thing."""
    engine = LlamaEngine(write_tiny_gguf(tmp_path / "m.gguf", says="Zoë: 漢!"), threads=1, context=256)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def four_million(tmp_path_factory):
    """A model of the size that is shipped."""
    path = write_tiny_gguf(tmp_path_factory.mktemp("model") / "m.gguf", layers=4, hidden=256, context=4096)
    engine = LlamaEngine(path, threads=1, context=4096)
    yield engine
    engine.close()


def test_it_says_which_model_it_is(engine):
    assert engine.info.name == "tiny"
    assert engine.info.context == 2048
    assert engine.info.metadata == {"codec": "bands"}
    assert engine.info.trained_for_eeg
    assert len(engine.info.sha256) == 64


def test_no_more_context_than_the_model_was_trained_for(tmp_path):
    engine = LlamaEngine(write_tiny_gguf(tmp_path / "m.gguf", context=300), threads=1, context=4096)
    assert engine.info.context == 300
    engine.close()


def test_the_prompt_is_read_in_chunks_with_progress_between(engine):
    progress = progress_of(engine.generate(user("abc" * 300), max_tokens=1))
    done = [event.done for event in progress]
    assert {event.total for event in progress} == {900 + AROUND_CONTENT}
    assert done[0] == 0
    assert done[-1] == 900 + AROUND_CONTENT
    assert done == sorted(set(done))
    assert len(done) >= 5


def test_an_answer_ends_where_the_model_ends_it_and_holds_whole_characters(speaker):
    tokens = [event.text for event in speaker.generate(SHORT) if isinstance(event, Token)]
    assert tokens == ["Z", "o", "ë", ":", " ", "漢", "!"]


def test_an_answer_goes_on_from_its_prefix(speaker):
    assert text_of(speaker.generate(SHORT, "Zoë:")) == " 漢!"


def test_an_answer_cut_inside_a_character_says_so(speaker):
    assert text_of(speaker.generate(SHORT, max_tokens=3)) == "Zo\ufffd"


def test_an_answer_has_at_most_so_many_tokens(engine):
    assert len(text_of(engine.generate(SHORT, max_tokens=5))) <= 5


def test_chance_follows_the_seed(engine):
    def answer(seed: int) -> str:
        return text_of(engine.generate(SHORT, max_tokens=20, temperature=1.0, seed=seed))

    assert answer(1) == answer(1)
    assert len({answer(seed) for seed in range(4)}) > 1
    greedy = text_of(engine.generate(SHORT, max_tokens=20))
    assert text_of(engine.generate(SHORT, max_tokens=20, temperature=2.0, top_k=1, seed=5)) == greedy


CHOICES = [
    ("You could rest.", "You could walk.", "You could call a friend."),
    ("Rest", "Rest a little", "Rest a little, then walk."),  # each is the beginning of the next
    ("Rest a little, then walk.", "Rest a little", "Rest", ""),
    ("漢字。", "漢語。", "漢", "汉"),  # they differ inside a character
    ("e\u0301", "e", "\u00e9", "👩\u200d🔬", "👩", " \u3000x", "\ufeffx"),
    ("a\ud800b", "a?b", "\ud800"),  # the tokenizer cannot tell the first two apart
    ("<|im_end|>", "<|im_end|> joy", " joy fear", " joy"),
    ("Same.", "Same."),
]


@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize("seed", range(6))
def test_an_answer_with_choices_is_one_of_them(tmp_path, choices, seed):
    engine = LlamaEngine(write_tiny_gguf(tmp_path / "m.gguf", seed=seed), threads=1, context=256)
    for prefix in ("", "Emotion:", "Emotion: jo"):
        assert text_of(engine.generate(SHORT, prefix, choices=choices, max_tokens=2, temperature=1.0)) in choices
    engine.close()


@pytest.fixture
def names_one(tmp_path):
    """Makes a model that says one thing."""
    engines = []

    def make(says: str) -> LlamaEngine:
        engines.append(
            LlamaEngine(write_tiny_gguf(tmp_path / f"{len(engines)}.gguf", says=says), threads=1, context=256)
        )
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("says", ["漢字", "漢", "Rest", "Rest!?", "Re漢", "Ro"])
def test_the_model_chooses_the_text_that_it_would_write(names_one, says):
    choices = ("Re", "Rest!?", "漢", "Ro", "Re漢", "漢字", "Rest")
    assert text_of(names_one(says).generate(SHORT, choices=choices)) == says


def test_the_model_is_asked_only_where_the_texts_differ(engine):
    shared, rest = "The same beginning, ", " and the same end, told at length."
    events = list(engine.generate(SHORT, choices=[f"{shared}{letter}{rest}" for letter in "bcd"]))
    beginning, *reading, end = events
    assert (beginning.text, end.text[1:]) == (shared, rest)
    assert reading == progress_of(events)
    assert reading[-1].total == len("hello") + AROUND_CONTENT + len(shared)


def test_of_one_text_nothing_is_read(engine):
    assert list(engine.generate(SHORT, choices=["Only this."])) == [Token("Only this.")]


def test_choices_that_do_not_fit_are_refused_before_anything_is_read(engine):
    with pytest.raises(ContextError):
        next(engine.generate(SHORT, choices=("a", "b" * 3000)))
    assert text_of(engine.generate(SHORT, choices=("a", "b"))) in ("a", "b")


def test_without_choices_decoding_is_free(speaker):
    assert text_of(speaker.generate(SHORT, choices=())) == "Zoë: 漢!"


def test_control_tokens_in_a_message_are_letters(engine):
    for typed in ("<|im_end|>", "<|im_start|>", "<|endoftext|>"):
        (*_, read) = progress_of(engine.generate(user(typed), typed, max_tokens=1))
        assert read.total == 2 * len(typed) + AROUND_CONTENT


def test_a_follow_up_reads_only_what_is_new(engine, path):
    chat = user("first " * 100)
    answer = text_of(engine.generate(chat, max_tokens=1, temperature=1.0, seed=3)) or "ok"
    (*_, read) = progress_of(engine.generate(chat, max_tokens=1))
    follow_up = [*chat, {"role": "assistant", "content": answer}, *user("and then?")]
    events = list(engine.generate(follow_up, max_tokens=10))
    assert progress_of(events)[0].done >= read.total
    fresh = LlamaEngine(path, threads=1, context=2048)
    assert text_of(events) == text_of(fresh.generate(follow_up, max_tokens=10))
    fresh.close()


def test_the_same_prompt_again_reads_one_token(engine):
    list(engine.generate(SHORT, max_tokens=3))
    first, *_ = progress_of(engine.generate(SHORT, max_tokens=3))
    assert first.total - first.done == 1


def expected_logprob(path: Path, context: list[int], label: list[int]) -> float:
    """By another way: every position's scores at once, from the high-level interface."""
    llama = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False)
    llama.eval(context + label)
    scores = llama.scores[len(context) - 1 : len(context) + len(label) - 1].astype(float)
    llama.close()
    normalised = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return float(sum(row[token] for row, token in zip(normalised, label, strict=True)))


def test_labels_get_the_log_probability_of_all_their_tokens(engine, path):
    labels = (" joy", " fear", " tenderness", " inspiration")
    *_, scores = engine.score(user("calm"), "Emotion:", labels)
    assert isinstance(scores, Scores)
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    prompt = b"<|im_start|>user\ncalm<|im_end|>\n<|im_start|>assistant\nEmotion:"
    context = llama.tokenize(prompt, add_bos=False, special=True)
    tokens = [llama.tokenize(label.encode(), add_bos=False) for label in labels]
    llama.close()
    assert [len(t) for t in tokens] == [1, 1, 11, 12]
    expected = [expected_logprob(path, context, label) for label in tokens]
    np.testing.assert_allclose(scores.logprobs, expected, atol=0.02)  # the context keeps float16 keys and values


def test_scores_do_not_depend_on_what_was_read_before(engine):
    *_, first = engine.score(SHORT, "Emotion:", (" tenderness", " joy"))
    list(engine.generate(user("something else"), max_tokens=5))
    *_, again = engine.score(SHORT, "Emotion:", (" tenderness", " joy"))
    np.testing.assert_allclose(first.logprobs, again.logprobs, atol=0.02)


def test_an_answer_after_scoring_reads_only_its_beginning(engine):
    *_, read, _ = engine.score(user("calm " * 50), "Emotion:", (" joy",))
    first, *_ = progress_of(engine.generate(user("calm " * 50), "Emotion: joy", max_tokens=1))
    assert first.done == read.total
    assert first.total == read.total + 1


def seconds_to_stop(engine: LlamaEngine, content: str) -> float:
    """Ask for an answer, want to stop while the prompt is read, and see how long it goes on."""
    stop, reading = threading.Event(), threading.Event()

    def consume() -> None:
        for event in engine.generate(user(content)):
            assert isinstance(event, PromptProgress)
            if event.done > 0:
                reading.set()
            if stop.is_set():
                break

    thread = threading.Thread(target=consume)
    thread.start()
    reading.wait(10)
    stop.set()
    asked = time.perf_counter()
    thread.join()
    return time.perf_counter() - asked


def test_stop_while_the_prompt_is_read_takes_effect_within_200_ms(four_million):
    seconds = [seconds_to_stop(four_million, f"{turn} abc" * 700) for turn in range(3)]
    assert min(seconds) < 0.2  # the best: the machine may be busy
    assert text_of(four_million.generate(SHORT, max_tokens=4))


def test_half_a_character_in_a_message_does_no_harm(engine):
    assert text_of(engine.generate(user("a\ud800b"), max_tokens=4))


def test_closing_a_stream_frees_the_engine(engine):
    stream = engine.generate(user("abc" * 300))
    assert isinstance(next(stream), PromptProgress)
    waiting = engine.generate(SHORT, max_tokens=2)
    assert isinstance(next(waiting), Waiting)
    left_early = engine.score(SHORT, "", (" joy",))
    assert isinstance(next(left_early), Waiting)
    left_early.close()
    stream.close()
    assert isinstance(next(waiting), PromptProgress)
    assert text_of(waiting)


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_read(engine):
    sentence = r"needs 3,009 tokens and the model's context holds 2,048; shorten the texts\.$"
    with pytest.raises(ContextError, match=sentence):
        next(engine.generate(user("x" * 3000)))
    with pytest.raises(ContextError, match="shorten the texts"):
        next(engine.score(user("x" * 3000), "Emotion:", (" joy",)))
    assert text_of(engine.generate(SHORT, max_tokens=4))


def test_more_context_is_advised_where_the_model_can_have_more(path):
    engine = LlamaEngine(path, threads=1, context=40)
    with pytest.raises(ContextError, match="or raise EEG_COPILOT_CONTEXT"):
        next(engine.generate(user("x" * 100)))
    engine.close()


def test_an_answer_stops_at_the_end_of_the_context(path):
    engine = LlamaEngine(path, threads=1, context=40)
    *_, token, last = engine.generate(user("x" * 25), max_tokens=400, temperature=1.0)
    assert isinstance(token, Token)
    assert last == CutOff()
    assert text_of(engine.generate(SHORT, max_tokens=4))
    engine.close()


def test_a_model_without_a_chat_template_speaks_chatml_and_says_so(tmp_path, caplog):
    bare = LlamaEngine(write_tiny_gguf(tmp_path / "bare.gguf", chat_template="", says="Yes"), threads=1, context=256)
    assert "bare.gguf has no chat template" in caplog.text
    assert text_of(bare.generate(SHORT)) == "Yes"
    bare.close()


def test_a_closed_engine_says_so(path):
    engine = LlamaEngine(path, threads=1, context=2048)
    stream = engine.generate(user("abc" * 300))
    next(stream)
    engine.close()
    engine.close()
    for call in (stream, engine.generate(SHORT)):
        with pytest.raises(EngineError, match="has been closed"):
            list(call)


def in_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_threads_at_once_take_turns_and_nothing_is_printed(path):
    child = in_child(
        """
        import sys, threading
        from pathlib import Path
        from copilot.llm.local import LlamaEngine
        engine, answers = LlamaEngine(Path(sys.argv[1]), threads=1, context=512), [set() for _ in range(4)]
        def ask(i):
            for turn in range(5):
                events = engine.generate([{"role": "user", "content": "abc" * (10 + i)}], max_tokens=20)
                if turn == 3:
                    next(events), events.close()
                else:
                    answers[i].add("".join(getattr(event, "text", "") for event in events))
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
        [t.start() for t in threads], [t.join() for t in threads]
        engine.close()
        print([len(a) for a in answers])
        """,
        path,
    )
    assert (child.returncode, child.stderr) == (0, "")
    assert child.stdout.strip() == "[1, 1, 1, 1]"


def test_a_damaged_file_is_refused_in_a_sentence(path, tmp_path):
    whole = path.read_bytes()
    damaged = []
    for share in (0.05, 0.5, 0.99):
        damaged.append(tmp_path / f"{share}.gguf")
        damaged[-1].write_bytes(whole[: int(len(whole) * share)])
    damaged.append(tmp_path / "other.gguf")
    damaged[-1].write_bytes(whole.replace(b"qwen2", b"qwenX"))
    child = in_child(
        """
        import sys
        from pathlib import Path
        from copilot.llm.base import EngineError
        from copilot.llm.local import LlamaEngine
        for path in sys.argv[1:]:
            try:
                LlamaEngine(Path(path), threads=1, context=512)
            except EngineError as error:
                print(error)
        """,
        *damaged,
    )
    assert (child.returncode, child.stderr) == (0, "")
    lines = child.stdout.splitlines()
    assert len(lines) == len(damaged)
    assert all("damaged" in line and "copy" in line for line in lines)
