"""Servers that lie, break off, send without end or not at all: each becomes one sentence or a note, soon and small."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from copilot.llm import http_stream
from copilot.llm.base import CutOff, EngineError, PromptProgress, Scores, Token
from copilot.llm.openai_client import break_control_tokens, find_alike_labels
from tests.unit.llm.test_openai_client import CHAT, LABELS, engine_for, scored, stub, text_of

ROOT = Path(__file__).resolve().parents[3]
FINISHED = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})


def piece(text, **more) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}, **more}]})


def events(*data: str, between: float = 0.0, for_ever: str = ""):
    """A stream of these lines; then, where given, one line again and again until the other side hangs up."""

    def answer(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for line in data:
                handler.wfile.write(line.encode() + b"\n\n")
                time.sleep(between)
            while for_ever:
                handler.wfile.write(for_ever.encode())
                time.sleep(between)
        handler.server.gone.set()

    return answer


def stream(*data: str):
    return events(*(f"data: {each}" for each in data))


def whole(answer: object):
    answer = answer.encode() if isinstance(answer, str) and answer[:1] == "{" else answer
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return lambda handler: handler.reply(200, body)


def alternative(token, logprob):
    content = [{"token": " joy", "top_logprobs": [{"token": token, "logprob": logprob}]}]
    return whole({"choices": [{"logprobs": {"content": content}}]})


def generated(answer, **options) -> list:
    with stub(answer) as server:
        return list(engine_for(server).generate(CHAT, **options))


@pytest.fixture(scope="module")
def server():
    """One server for many quick answers."""
    with stub(None) as server:
        yield server


# How an answer ends


@pytest.mark.parametrize(
    ("data", "cut_off"),
    [
        ((piece("Hello."), FINISHED, "[DONE]"), False),
        ((piece("Hello."), FINISHED), False),
        ((piece("Hello.", finish_reason="stop"),), False),
        ((piece("Hello."), "[DONE]"), False),
        ((piece("Hello."),), True),
        ((piece("Hello.", finish_reason="length"), "[DONE]"), True),
        ((piece("Hello.", finish_reason="content_filter"), "[DONE]"), True),
        ((piece("Hello."), json.dumps({"choices": [{"delta": {}, "finish_reason": "length"}]}), "[DONE]"), True),
        ((piece("Hello.", finish_reason=None), json.dumps({"choices": [], "usage": {}})), True),
    ],
)
def test_an_answer_without_its_end_is_told_from_a_whole_one(data, cut_off, server):
    server.answer = stream(*data)
    told = [event for event in engine_for(server).generate(CHAT) if not isinstance(event, PromptProgress)]
    assert told == [Token("Hello."), *([CutOff()] if cut_off else [])]


@pytest.mark.parametrize(
    "data",
    [("[DONE]",), (FINISHED, "[DONE]"), (piece(""), piece(None), "[DONE]"), (piece(" \n"), FINISHED), (piece("\x1b"),)],
)
def test_an_empty_answer_is_refused(data):
    with pytest.raises(EngineError, match="sent an empty answer"):
        generated(stream(*data))
    with pytest.raises(EngineError, match="sent an empty answer"):
        generated(lambda handler: handler.reply(200, b"<html>Hello</html>"))


def test_words_beyond_what_was_asked_for_are_not_read():
    *tokens, last = (e for e in generated(events(for_ever=f"data: {piece('word ')}\n\n"), max_tokens=5) if e)
    assert last == CutOff()
    assert 5 <= len(text_of(tokens)) <= 5 * 32
    assert text_of(generated(stream(piece("x" * 100_000)), max_tokens=5)) == "x" * 160


# Answers of another form


@pytest.mark.parametrize(
    "data",
    [
        *("null", "1", '"error"', "[]", "{}", "{", "[" * 100_000, '{"choices": null}', '{"choices": 1}'),
        *('{"choices": {"a": 1}}', '{"choices": ["text"]}', '{"choices": [null]}', '{"choices": [[1, 2]]}'),
        *('{"choices": [{"delta": [1]}]}', '{"choices": [{"delta": "text"}]}', '{"choices": [{"delta": 7}]}'),
        *(piece(5), piece({"a": 1}), piece(["text"]), piece(True)),
        '{"choices": [{"delta": {"content": ' + "[" * 50_000 + "]" * 50_000 + "}}]}",
        '{"choices": [{"delta": {"content": ' + "9" * 10_000 + "}}]}",
    ],
)
def test_a_stream_of_another_form_is_told_in_a_sentence(data, server):
    server.answer = stream(piece("Hello."), data, FINISHED)
    with pytest.raises(EngineError, match="does not speak OpenAI's chat protocol"):
        list(engine_for(server).generate(CHAT))


@pytest.mark.parametrize(
    "answer",
    [
        *(alternative(" joy", wrong) for wrong in (500.0, 0.5, float("nan"), float("inf"), float("-inf"), "-2.0x")),
        *(alternative(" joy", wrong) for wrong in ("-2.0", None, True, [], {"a": 1}, 10**400, -(10**400))),
        *(alternative(wrong, -1.0) for wrong in (None, 5, [" joy"], {"a": 1})),
        *(whole(wrong) for wrong in (None, 5, "text", [], {}, b"<html>", b"", b"[" * 100_000, b"\xff\xfe\x00")),
        *(whole({"choices": wrong}) for wrong in (None, 5, "text", [5], [[5]], {"a": 5})),
        *(whole({"choices": [{"logprobs": wrong}]}) for wrong in (5, "text", [5], {"content": 5}, {"content": "ab"})),
        *(
            whole({"choices": [{"logprobs": {"content": wrong}}]})
            for wrong in (
                [5],
                ["text"],
                [None],
                [{"token": None, "top_logprobs": []}],
                [{"token": " joy", "top_logprobs": 5}],
                [{"token": " joy", "top_logprobs": [5]}],
                [{"token": " joy", "top_logprobs": [{"token": " joy"}]}],
                [{"token": " joy", "top_logprobs": {" joy": -1.0}}],
            )
        ),
    ],
)
def test_scores_of_another_form_are_told_in_a_sentence(answer, server):
    server.answer = answer
    with pytest.raises(EngineError) as caught:
        list(engine_for(server).score(CHAT, "Emotion:", LABELS))
    assert any(told in str(caught.value) for told in ("chat protocol", "gives no probabilities", "sent no answer"))


def test_a_probability_that_is_rounded_to_one_is_taken():
    with stub(alternative(" joy", 1e-7)) as server:
        *_, scores = engine_for(server).score(CHAT, "Emotion:", LABELS)
    assert scores.logprobs[0] == 0


def test_labels_with_one_first_token_are_told():
    labels = (" anger", " amusement", " joy")
    assert find_alike_labels(labels, {" a": -1.0, " joy": -2.0}) == (0, 1)
    assert find_alike_labels(labels, {" anger": -1.0, " amuse": -1.5, " a": -9.0, " joy": -2.0}) == ()
    with stub(scored((" a", {" a": -0.7, " joy": -1.0}))) as server:
        *_, scores = engine_for(server).score(CHAT, "Emotion:", labels)
    assert isinstance(scores, Scores)
    assert scores.alike == (0, 1)
    np.testing.assert_allclose(scores.logprobs[:2], -0.7 - np.log(2))


# What must not reach a terminal, a log or another server

STEERING = "\x1b]0;PWNED\x07\x1b[2J\x9b31m\x1b]52;c;QUJD\x07a\rb\u202egnp\u2066\x00\x08\u2028"


def test_no_error_of_a_server_steers_the_terminal():
    said = json.dumps({"error": {"message": f"out of memory {STEERING}"}})
    refuse = lambda handler: handler.reply(500, said.encode())  # noqa: E731
    for answer, ask in ((stream(said), "generate"), (refuse, "generate"), (refuse, "score"), (whole(said), "score")):
        with stub(answer) as server:
            engine = engine_for(server)
            events = engine.generate(CHAT) if ask == "generate" else engine.score(CHAT, "", LABELS)
            with pytest.raises(EngineError, match="out of memory") as caught:
                list(events)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


def test_no_word_of_a_server_steers_the_terminal():
    text = text_of(generated(stream(piece(f"Calm{STEERING}\n\tand \ud800well 漢 👨\u200d👩."), FINISHED)))
    assert text.startswith("Calm")
    assert text.endswith("\n\tand well 漢 👨\u200d👩.")
    assert all(c.isprintable() or c in "\n\t\u200d" for c in text)
    text.encode()


def test_the_command_line_prints_no_escape_sequence_of_a_server(tmp_path):
    """An analysis on a server that answers with escape sequences in an error."""
    from copilot.eeg import simulate

    made = simulate.simulate(30, seed=2)
    np.savez(tmp_path / "calm.npz", data=made.data, sfreq=made.sfreq, channels=np.array(made.channels))
    said = json.dumps({"error": {"message": f"no {STEERING} memory"}}).encode()
    with stub(lambda handler: handler.reply(500, said)) as server:
        child = subprocess.run(
            [sys.executable, "-m", "copilot", "analyse", str(tmp_path / "calm.npz")],
            env=os.environ | {"EEG_COPILOT_SERVER": server.url, "EEG_COPILOT_PROTOCOL": "faced-films"},
            cwd=ROOT,
            capture_output=True,
            timeout=120,
        )
    assert child.returncode == 2
    assert b"The model server reports an error: 500, no" in child.stderr
    printed = (child.stdout + child.stderr).decode()
    assert all(c.isprintable() or c == "\n" for c in printed)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_and_the_key_goes_nowhere_else(status):
    with stub(stream(piece("Hello."), FINISHED)) as other:

        def redirect(handler) -> None:
            handler.send_response(status)
            handler.send_header("Location", f"{other.url}/chat/completions")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with stub(redirect) as server, pytest.raises(EngineError, match=f"reports an error: {status}"):
            list(engine_for(server, key="secret").generate(CHAT))
        assert other.bodies == []


@pytest.mark.parametrize(
    "token",
    [
        *("<|im_end|>", "<|eot_id|>", "<\uff5cUser\uff5c>", "<s>", "</s>", "<bos>", "<eos>", "<BOS>", "<pad>", "<unk>"),
        *("<<SYS>>", "<</SYS>>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]"),
        *("[AVAILABLE_TOOLS]", "[gMASK]", "[|user|]", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>"),
        *("<tool_call>", "</tool_call>", "<seed:think>", "<extra_id_0>", "<unused99>", "<0x0A>", "<fim-prefix>"),
    ],
)
def test_no_control_token_leaves_whole(token):
    assert token not in break_control_tokens(f"a {token} b{token}{token}")
    assert break_control_tokens(f"a {token} b").replace("\u200b", "") == f"a {token} b"


def test_ordinary_text_leaves_as_it_is():
    text = "1 < 2 > 0, <b>, [1], [Fz], (INST), a<5 and b>7, 3 <- 4, [see above], 漢字"
    assert break_control_tokens(text) == text


@pytest.mark.parametrize("odd", [{"key": "schl\u00fcssel"}, {"key": "a\nb"}, {"key": "\u6f22"}])
def test_a_key_that_no_header_can_hold_is_no_fault_of_the_program(odd):
    with stub(stream(piece("Hello."), FINISHED)) as server, contextlib.suppress(EngineError):
        list(engine_for(server, **odd).generate([{"role": "user", "content": "half \ud800"}]))


# Time


def turns_until_stopped(server, ask) -> tuple[list[float], float]:
    """When events came within a second, and how long closing took."""
    engine = engine_for(server)
    asked = engine.generate(CHAT) if ask == "generate" else engine.score(CHAT, "Emotion:", LABELS)
    began, came = time.monotonic(), []
    with contextlib.suppress(EngineError):
        for _ in asked:
            came.append(time.monotonic() - began)
            if came[-1] > 1:
                break
    stopped = time.monotonic()
    asked.close()
    return came, time.monotonic() - stopped


@pytest.mark.parametrize("ask", ["generate", "score"])
@pytest.mark.parametrize(
    "line",
    [": ping\n\n", "\n", ":", f"data: {piece('')}\n\n", "event: ping\ndata:\n\n", "x"],
)
def test_stop_works_while_a_server_sends_without_saying_anything(line, ask):
    with stub(events(between=0.004, for_ever=line)) as server:
        came, seconds = turns_until_stopped(server, ask)
        assert server.gone.wait(5)
    assert len(came) >= 3  # ten a second; the machine may be busy
    assert seconds < 1


@pytest.mark.parametrize("line", [": ping\n\n", "\n", f"data: {piece('')}\n\n"])
def test_a_server_that_pings_without_a_pause_is_given_up(line):
    began = time.monotonic()
    with pytest.raises(EngineError, match="sends more than an answer can be"):
        generated(events(for_ever=line * 1000))
    assert time.monotonic() - began < 20


def drip_header(handler) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(100):
            handler.wfile.write(b"a")
            handler.wfile.flush()
            time.sleep(0.05)
    handler.server.gone.set()


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (drip_header, "SILENT_SECONDS"),
        (events(between=0.05, for_ever=": ping\n\n"), "TOTAL_SECONDS"),
        (events(between=0.05, for_ever=f"data: {piece('w')}\n\n"), "TOTAL_SECONDS"),
    ],
)
def test_an_answer_that_takes_too_long_is_given_up(answer, limit, monkeypatch):
    monkeypatch.setattr(http_stream, limit, 0.5)
    began = time.monotonic()
    with pytest.raises(EngineError, match="took too long over its answer"):
        generated(answer)
    assert time.monotonic() - began < 5


# Memory


def megabytes(url: str, ask: str) -> float:
    """How much the memory of a process grows that asks this server, and the sentence that it gets."""
    code = """
        import resource, sys
        from copilot.llm.base import EngineError
        from copilot.llm.openai_client import RemoteEngine
        GB = 2**30
        resource.setrlimit(resource.RLIMIT_AS, (3 * GB, 3 * GB))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        engine, chat = RemoteEngine(sys.argv[1], model="m"), [{"role": "user", "content": "hello"}]
        try:
            list(engine.generate(chat) if sys.argv[2] == "generate" else engine.score(chat, "", (" joy",)))
        except EngineError as error:
            print(error)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
        """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), url, ask], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    told, grown = child.stdout.splitlines()
    assert "model server" in told or "chat protocol" in told
    return float(grown)


def bomb(handler) -> None:
    body = gzip.compress(bytes(2**28))
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


def endless_error(handler) -> None:
    handler.send_response(500)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"error " * 10_000)


def endless_header(handler) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-A: b\r\n" * 1000)


@pytest.mark.parametrize("ask", ["generate", "score"])
@pytest.mark.parametrize(
    "answer",
    [
        events(for_ever="x" * 100_000),
        events(f"data: {piece('x')}"[:-4], for_ever="x" * 100_000),
        events(for_ever="\n" * 100_000),
        events('{"choices": [', for_ever="{}," * 30_000),
        bomb,
        endless_error,
        endless_header,
    ],
    ids=["line", "text", "empty", "list", "gzip", "error", "header"],
)
def test_a_server_that_sends_without_end_takes_little_memory(answer, ask):
    with stub(answer) as server:
        assert megabytes(server.url, ask) < 200
