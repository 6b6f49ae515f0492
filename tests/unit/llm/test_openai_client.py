import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest

from copilot.llm.base import EngineError, PromptProgress, Scores, Token
from copilot.llm.openai_client import RemoteEngine, break_control_tokens, score_labels
from tests.helpers.tiny_model import write_tiny_gguf

CHAT = [{"role": "user", "content": "hello"}]
LABELS = (" joy", " fear", " anger")


class Stub(ThreadingHTTPServer):
    """A server that answers every request with ``answer(handler)`` and keeps what it was sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer) -> None:
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.answer = answer
        self.bodies: list[dict] = []
        self.headers: list[dict] = []
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class StubHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.headers.append(dict(self.headers))
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.answer(self)

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stub(answer):
    with Stub(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def says(*pieces: str):
    lines = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
    lines = [json.dumps({"choices": [{"delta": {"role": "assistant"}}]}), *lines, json.dumps({"choices": []}), "[DONE]"]
    return lambda handler: handler.reply(200, "".join(f"data: {line}\n\n" for line in lines).encode())


def scored(*tokens: tuple[str, dict[str, float]]):
    content = [
        {"token": token, "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()]} for token, top in tokens
    ]
    answer = {"choices": [{"message": {"content": ""}, "logprobs": {"content": content} if content else None}]}
    return lambda handler: handler.reply(200, json.dumps(answer).encode())


def engine_for(server: Stub, **settings: str) -> RemoteEngine:
    return RemoteEngine(server.url, model="m", **settings)


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def scores_of(events):
    *_, last = events
    assert isinstance(last, Scores)
    return last.logprobs


def test_an_answer_is_streamed():
    with stub(says("Hel", "lo ", "漢!")) as server:
        events = list(engine_for(server, key="secret").generate(CHAT, max_tokens=7, temperature=0.5, top_k=9, seed=3))
    assert [e.text for e in events if isinstance(e, Token)] == ["Hel", "lo ", "漢!"]
    (body,) = server.bodies
    assert (body["max_tokens"], body["temperature"], body["top_k"], body["seed"]) == (7, 0.5, 9, 3)
    assert body["messages"] == CHAT
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_of_choices_the_first_is_the_answer_and_the_server_is_not_asked():
    with stub(says("Something else.")) as server:
        assert text_of(engine_for(server).generate(CHAT, choices=("Rest.", "Walk."))) == "Rest."
        assert text_of(engine_for(server).generate(CHAT, choices=())) == "Something else."
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "pieces", [(" joy", "."), ("Emo", "tion: joy", "."), ("\nEmotion:", " joy."), ("Emotion: joy.",)]
)
def test_a_prefix_is_continued_whether_or_not_the_server_repeats_it(pieces):
    with stub(says(*pieces)) as server:
        assert text_of(engine_for(server).generate(CHAT, "Emotion:")) == " joy."
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": "Emotion:"}


def test_an_answer_that_only_begins_like_the_prefix_is_whole():
    with stub(says("Emo", "te!")) as server:
        assert text_of(engine_for(server).generate(CHAT, "Emotion:")) == "Emote!"
    with stub(says("Emo")) as server:
        assert text_of(engine_for(server).generate(CHAT, "Emotion:")) == "Emo"


def test_control_tokens_are_broken_up_before_they_leave():
    with stub(says("ok")) as server:
        list(engine_for(server).generate([{"role": "user", "content": "a <|im_end|> [/INST] </s> 1 < 2 <b>"}]))
    sent = server.bodies[0]["messages"][0]["content"]
    assert sent == "a <\u200b|im_end|> [\u200b/INST] <\u200b/s> 1 < 2 <b>"
    assert break_control_tokens("<start_of_turn>") == "<\u200bstart_of_turn>"


def test_labels_are_scored_at_the_slot_behind_the_prefix():
    slot = {" joy": -0.5, "Joy": -3.0, " fe": -1.5, " the": -4.0}
    expected = [np.logaddexp(-0.5, -3.0), -1.5, -5.0]
    for answer in (
        scored((" joy", slot)),
        scored(("Emo", {"Emo": 0.0}), ("tion", {"tion": 0.0}), (":", {":": 0.0}), (" joy", slot)),
        scored(("Emotion:", {"x": 0.0}), (" ", {" ": 0.0}), ("joy", slot)),
    ):
        with stub(answer) as server:
            np.testing.assert_allclose(scores_of(engine_for(server).score(CHAT, "Emotion:", LABELS)), expected)
    assert server.bodies[0]["logprobs"] is True
    assert server.bodies[0]["top_logprobs"] == 20


def test_an_alternative_that_begins_two_labels_is_shared():
    logprobs = score_labels((" anger", " amusement", " joy"), {" a": -1.0, " joy": -2.0})
    np.testing.assert_allclose(logprobs, [-1.0 - np.log(2), -1.0 - np.log(2), -2.0])


def test_a_model_that_names_no_label():
    with stub(scored(("I", {"I": -0.1, "The": -2.0}))) as server, pytest.raises(EngineError, match="READOUT=decoder"):
        list(engine_for(server).score(CHAT, "Emotion:", LABELS))


@pytest.mark.parametrize(
    "answer",
    [
        scored(),
        scored((" joy", {})),
        lambda handler: handler.reply(400, b'{"error": {"message": "logprobs is not supported"}}'),
    ],
)
def test_a_server_without_probabilities(answer):
    with stub(answer) as server, pytest.raises(EngineError, match=r"gives no probabilities; set EEG_COPILOT_READOUT"):
        list(engine_for(server).score(CHAT, "Emotion:", LABELS))


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b"", "refuses the key; set EEG_COPILOT_SERVER_KEY"),
        (404, b'{"error": "model not found"}', "no model 'm'"),
        (
            400,
            b'{"error": {"message": "the request exceeds the\\ncontext size."}}',
            "400, the request exceeds the context",
        ),
        (500, b"<html>", "500, <html>."),
        (503, b"", "503, no reason given."),
        (200, b"data: hello\n", "does not speak OpenAI's chat protocol"),
        (200, b"data: [1]\n", "does not speak OpenAI's chat protocol"),
        (200, b'data: {"error": {"message": "out of memory"}}\n', "out of memory"),
    ],
)
def test_a_server_that_refuses(status, body, sentence):
    with (
        stub(lambda handler: handler.reply(status, body)) as server,
        pytest.raises(EngineError, match=sentence) as caught,
    ):
        list(engine_for(server, key="secret").generate(CHAT))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_server():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"No model server answers at {host};"):
            list(RemoteEngine(f"http://me:secret@{host}/v1", model="m").generate(CHAT))


@pytest.mark.parametrize(
    "url",
    ["localhost:11434", "ftp://x/v1", "http://[::1", "http://", "http://me:secret@[::1", "http://127.0.0.1:99999"],
)
def test_an_address_that_is_none(url):
    with pytest.raises(EngineError, match="has to look like") as caught:
        list(RemoteEngine(url, model="m").generate(CHAT))
    assert "secret" not in str(caught.value)


def test_a_server_that_breaks_off():
    def half(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'data: {"choices": [{"delta": {"content": "Half"}}]}\n\n')

    with stub(half) as server:
        stream = engine_for(server).generate(CHAT)
        with pytest.raises(EngineError, match="broke off its answer"):
            list(stream)


def talk_until_gone(handler) -> None:
    """One word, then silence, until the other side hangs up."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n')
    handler.connection.settimeout(5)
    if handler.connection.recv(1) == b"":
        handler.server.gone.set()


def be_silent(handler) -> None:
    handler.connection.settimeout(5)
    if handler.connection.recv(1) == b"":
        handler.server.gone.set()


@pytest.mark.parametrize(("answer", "event"), [(talk_until_gone, Token("word")), (be_silent, PromptProgress(0, 1))])
def test_stop_hangs_up_at_once(answer, event):
    with stub(answer) as server:
        seconds = []
        for _ in range(3):
            server.gone.clear()
            stream = engine_for(server).generate(CHAT)
            assert event in (next(stream), next(stream))
            asked = time.perf_counter()
            stream.close()
            seconds.append(time.perf_counter() - asked)
            assert server.gone.wait(5)
    assert min(seconds) < 0.2  # the best: the machine may be busy


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    """``llama_cpp.server`` with a model that says joy."""
    pytest.importorskip("llama_cpp.server.app", reason="pip install 'llama-cpp-python[server]'", exc_type=ImportError)
    path = write_tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", says="joy!")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"model": path, "host": "127.0.0.1", "port": port, "n_ctx": 512, "n_threads": 1, "logits_all": "true"}
    command = [sys.executable, "-m", "llama_cpp.server"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    log = (path.parent / "log").open("w+")
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(150):
            try:
                httpx.get(f"{url}/models", trust_env=False)
                break
            except httpx.TransportError:
                assert server.poll() is None, (path.parent / "log").read_text()[-2000:]
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def test_a_real_server_answers(real_server):
    engine = RemoteEngine(real_server, model="tiny")
    assert text_of(engine.generate(CHAT)) == "joy!"
    assert text_of(engine.generate(CHAT, max_tokens=2)) == "jo"
    assert text_of(engine.generate(CHAT, "Emotion:")) == "joy!"


def test_a_real_server_scores(real_server):
    logprobs = scores_of(RemoteEngine(real_server, model="tiny").score(CHAT, "Emotion:", LABELS))
    assert int(np.argmax(logprobs)) == 0
    assert logprobs[0] > -0.1


def test_a_real_server_refuses_a_prompt_that_is_too_long(real_server):
    engine, long = RemoteEngine(real_server, model="tiny"), [{"role": "user", "content": "x" * 600}]
    with pytest.raises(EngineError, match=r"may be longer than its context"):
        list(engine.generate(long))
    with pytest.raises(EngineError, match=r"reports an error: 400.* maximum context length is 512 tokens"):
        list(engine.score(long, "Emotion:", LABELS))
