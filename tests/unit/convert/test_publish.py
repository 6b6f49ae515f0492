"""What publishing promises: nothing is sent unasked, what is sent arrives, and what must not leave stays."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from convert.__main__ import main
from convert.files import ConvertError
from convert.publish import hub as client
from convert.publish.allow_list import Upload
from convert.publish.model_card import BEGIN, NOTICE
from copilot import child_process
from copilot.safety.classifier import MODEL, WEIGHTS
from copilot.settings import ROOT, Settings
from tests.helpers.hub_stand_in import TOKEN, running_hub
from tests.helpers.tiny_model import write_tiny_gguf

OF_CHECKPOINT = "checkpoint/model.safetensors"
REPO, SPACE = "somebody/tiny-copilot", "somebody/tiny-space"
METADATA = {
    "general.license": "apache-2.0",
    "general.languages": ["en", "de"],
    "general.description": "A model for tests.",
    "general.base_model.count": 1,
    "general.base_model.0.repo_url": "https://huggingface.co/Qwen/Qwen2-0.5B",
    "general.dataset.count": 1,
    "general.dataset.0.repo_url": "https://huggingface.co/datasets/somebody/films",
    "eeg_copilot.training_data": "Twenty films, seen by four people",
}
MEASURED = {
    **{"mean_kl": 0.01234567, "perplexity": 12345.678, "same_top1": 0.9876, "speed": {"prompt": 431.27, "decode": 52}},
    "measured_on": {"text": "talk.txt", "answer_tokens": 2048, "processor": ["AVX2", "FMA"]},
}
ROWS = [
    {"condition": "baseline", "evidence": True, "balanced_accuracy": 0.3417, "n": 1680, "ece": None},
    {"condition": "blanked", "evidence": False, "balanced_accuracy": 0.1111, "n": 1680, "ece": 0.004},
]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture
def folder(tmp_path):
    """A model with its receipt, and what lies about in a working folder."""
    folder = tmp_path / "release"
    folder.mkdir()
    model = write_tiny_gguf(folder / "tiny.gguf", metadata=METADATA)
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    receipt = {
        **{"file": "tiny.gguf", "type": "Q4_K_M", "actual": {"Q4_K": {"tensors": 9, "bytes": 900}}},
        **{"fallbacks": [{"tensor": "a"}, {"tensor": "b"}], "parameters": 123456, "bits_per_weight": 5.513},
        **{"sha256": sha256, "measured": MEASURED},
    }
    (folder / "tiny.receipt.json").write_text(json.dumps(receipt))
    (folder / "Modelfile").write_text("FROM ./tiny.gguf\n")
    return folder


def write_evaluation(folder):
    sha256 = hashlib.sha256((folder / "tiny.gguf").read_bytes()).hexdigest()
    evaluation = {"subjects": "80-99", "people": 20, "model_sha256": sha256, "rows": ROWS}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))


def publish(folder, *more):
    return main(["publish", str(folder), "--repo", REPO, *more])


def published(hub):
    return hub.repos["model", REPO]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(capfd):
    said = capfd.readouterr().err.strip()
    assert "\n" not in said
    assert TOKEN not in said
    return said


def test_a_dry_run_says_everything_and_sends_nothing(folder, hub, monkeypatch, capfd):
    monkeypatch.delenv("HF_TOKEN")
    (folder / "anna.edf").write_bytes(b"0")
    before = contents(folder)
    assert publish(folder) == 0
    said = capfd.readouterr().out
    for name in ("tiny.gguf", "tiny.receipt.json", "Modelfile"):
        assert re.search(rf"{len(before[name]):,}  {hashlib.sha256(before[name]).hexdigest()}  {name}\n", said)
    assert f"Private model repository {REPO} at {hub.address}" in said
    assert re.search(r"anna\.edf +could be a recording", said)
    assert NOTICE in said
    assert hub.requests == []
    assert contents(folder) == before


def test_a_dry_run_works_where_there_is_no_network(folder, tmp_path):
    watch = """import sys
def refuse(event, values):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"{event} {values}")
sys.addaudithook(refuse)
"""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(watch)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "watch")}
    command = [sys.executable, "-m", "convert", "publish", folder, "--repo", REPO, "--space", SPACE, "--json"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.stderr == ""
    said = json.loads(ended.stdout)
    assert not said["published"]
    assert [(repo["name"], repo["visibility"]) for repo in said["repositories"]] == [
        (REPO, "private"),
        (SPACE, "private"),
    ]


def test_what_is_published_arrives_bit_for_bit_in_one_commit(folder, hub, capfd):
    assert publish(folder, "--yes") == 0
    repo = published(hub)
    card = repo.files.pop("README.md").decode()
    assert repo.files == contents(folder)
    assert repo.in_lfs == {"tiny.gguf"}
    assert repo.commits == [["Modelfile", "README.md", "tiny.gguf", "tiny.receipt.json"]]
    assert repo.private
    assert NOTICE in card
    said = capfd.readouterr()
    assert f"Published: {hub.address}/{REPO}/commit/" in said.out
    assert said.err == ""


def test_a_checkpoint_arrives_too(tmp_path, hub):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    save_file({"a": np.arange(1250, dtype=np.float32)}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"]}')
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": {"/home/page": 0}}}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "Files are in \\"/mnt/data\\"."}')
    assert publish(folder, "--yes") == 0
    repo = published(hub)
    card = repo.files.pop("README.md").decode()
    assert repo.files == contents(folder)
    assert repo.in_lfs == {"model.safetensors", "tokenizer.json"}
    assert front_matter(card) == {"library_name": "transformers", "pipeline_tag": "text-generation"}


def test_only_those_who_ask_publish_for_everybody(folder, hub):
    assert publish(folder, "--public", "--yes") == 0
    assert not published(hub).private


def test_only_kinds_of_files_on_the_list_leave_the_folder(folder, hub, tmp_path, capfd):
    (tmp_path / "elsewhere.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
    (folder / "linked.gguf").symlink_to(tmp_path / "elsewhere.gguf")
    (folder / "round").symlink_to(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "config.json").write_text("{}")
    for name in ("anna.edf", "table.csv", "faced_de.npz", "record.json", "record.md", "answer.txt", ".env", "train.py"):
        (folder / name).write_text("about Anna")
    os.mkfifo(folder / "params")
    assert publish(folder, "--yes") == 0
    assert sorted(published(hub).files) == ["Modelfile", "README.md", "tiny.gguf", "tiny.receipt.json"]
    left_out = capfd.readouterr().out.partition("Left out:")[2]
    for name in ("linked.gguf", "round", ".git", "anna.edf", "table.csv", "faced_de.npz", "record.json", "record.md",
                 "answer.txt", ".env", "train.py", "params"):  # fmt: skip
        assert f"  {name} " in left_out


def test_of_pictures_only_the_figures_of_the_evaluation_leave_the_folder(folder, hub):
    (folder / "evaluation").mkdir()
    for name in ("scores.png", "evaluation/scores.png", "evaluation/anna.png"):
        (folder / name).write_bytes(b"\x89PNG")
    assert publish(folder, "--yes") == 0
    assert [name for name in sorted(published(hub).files) if name.endswith(".png")] == ["evaluation/scores.png"]


def test_the_card_of_the_base_stays(folder, hub, capfd):
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "README.md").write_text("# The base\n\nIt scores 0.99.\n")
    assert publish(folder, "--yes") == 0
    assert sorted(published(hub).files) == ["Modelfile", "README.md", "tiny.gguf", "tiny.receipt.json"]
    assert re.search(r"checkpoint/README\.md +a card of what was there before", capfd.readouterr().out)


@pytest.mark.parametrize(
    "text",
    [
        "At https://huggingface.co/Qwen/Qwen2-0.5B and [here](/Qwen/Qwen2-0.5B), 52 tokens/s, 896/14/2/4864.",
        "Run `llama-cli -m /path/to/tiny.gguf`; `./tiny.gguf` lies beside. It ends with </s> or <b>x</b>/<i>y</i>.",
        "Gender: female/male/other. Q: A:\nB and/or C, 3 /s, // a comment, `a/b/c`, ../models/tiny.gguf.",
    ],
)
def test_what_only_looks_like_a_place_is_published(folder, hub, text):
    (folder / "README.md").write_text(f"# Tiny\n\n{text}\n")
    (folder / "generation_config.json").write_text(json.dumps({"about": text}))
    assert publish(folder, "--yes") == 0
    assert text in published(hub).files["README.md"].decode()


def test_the_token_goes_to_the_hub_and_nowhere_else(folder, hub, capfd):
    assert publish(folder, "--yes", "--json") == 0
    said = capfd.readouterr()
    assert TOKEN not in said.out + said.err
    for request in hub.requests:
        to_storage = request.path.startswith("/storage/")
        assert request.authorization == (None if to_storage else f"Bearer {TOKEN}")
        assert "torch" not in request.user_agent  # the client's telemetry


def test_a_stored_login_is_a_token(folder, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "hf_home").mkdir()
    (tmp_path / "hf_home" / "token").write_text(TOKEN)
    assert publish(folder, "--yes") == 0
    assert published(hub).commits


def test_the_keyring_is_asked_last(folder, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "installed").mkdir()
    asked = f"def get_password(*names): return {TOKEN!r} if names == ('huggingface', 'token') else None"
    (tmp_path / "installed" / "keyring.py").write_text(asked)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    assert publish(folder, "--yes") == 0
    assert published(hub).commits


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "There is no token"),
        ("hf_someOtherTokenThatIsNotKnown0000", "does not know this token"),
        ("ä b", "characters"),
    ],
)
def test_without_a_good_token_nothing_is_created(folder, hub, monkeypatch, capfd, token, reason):
    monkeypatch.setenv("HF_TOKEN", token)
    assert publish(folder, "--yes") == 2
    said = refusal(capfd)
    assert reason in said
    assert not token or token not in said
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("where", "status", "said", "sentence"),
    [
        ("POST /api/repos/create", 403, "You don't have rights for this namespace", "no right to write there"),
        ("POST /api/repos/create", 403, f"Token {TOKEN} is read only", r"Token \[token\] is read only"),
        ("POST /api/repos/create", 402, "Payment required", "only for accounts that pay"),
        ("POST /api/repos/create", 500, "Internal error", r"troubles of its own \(status 500\)"),
        ("POST .*/commit/main", 403, "Private repository storage limit reached", "no room left.*storage limit"),
        ("POST .*/commit/main", 413, "Payload too large", r"refuses \(status 413\): Payload too large"),
        ("POST .*/commit/main", 429, "Slow down", "fewer requests"),
        ("POST .*/verify", 422, "Another object", "refuses .status 422"),
        ("POST /api/validate-yaml", 400, "Bad license", r"refuses \(status 400\): Bad license"),
        ("PUT /storage", 403, "Signature expired", "no right to write there.*Signature expired"),
    ],
)
def test_every_refusal_of_the_hub_is_one_sentence_and_commits_nothing(
    folder, hub, capfd, where, status, said, sentence
):
    hub.failures[where] = (status, said)
    assert publish(folder, "--yes") == 2
    assert re.search(sentence, refusal(capfd))
    assert all(repo.commits == [] for repo in hub.repos.values())


def test_a_failed_space_leaves_the_model_and_says_so(hub, capfd):
    hub.failures["POST /api/spaces/.*/commit/main"] = (503, "Down for maintenance")
    assert publish(ROOT / "models", "--space", SPACE, "--yes") == 2
    said = refusal(capfd)
    assert "status 503" in said
    assert f"{hub.address}/{REPO}/commit/" in said
    assert (len(published(hub).commits), hub.repos["space", SPACE].commits) == (1, [])


@pytest.mark.parametrize("setting", [("HF_ENDPOINT", "http://127.0.0.1:9"), ("HF_HUB_OFFLINE", "1")])
def test_no_way_to_the_hub_is_one_sentence(folder, hub, monkeypatch, capfd, setting):
    monkeypatch.setenv(*setting)
    assert publish(folder, "--yes") == 2
    assert "cannot be reached" in refusal(capfd)


@pytest.mark.parametrize("name", ["tiny", "some body/tiny", "a/b/c", "somebody/-tiny", "somebody/tiny.git", ""])
def test_names_the_hub_would_not_take_are_refused_before_anything(folder, hub, capfd, name):
    assert main(["publish", str(folder), "--repo", name, "--yes"]) == 2
    assert name in refusal(capfd)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("first", "then", "words"), [("--public", "", "public, not private"), ("", "--public", "private, not public")]
)
def test_visibility_is_never_changed(folder, hub, capfd, first, then, words):
    assert publish(folder, "--yes", *filter(None, [first])) == 0
    capfd.readouterr()
    assert publish(folder, "--yes", *filter(None, [then])) == 2
    assert words in refusal(capfd)
    assert len(published(hub).commits) == 1
    assert published(hub).private == (first == "")


def test_publishing_again_adds_a_commit_and_keeps_what_else_is_there(folder, hub):
    assert publish(folder, "--yes") == 0
    published(hub).files["older.gguf"] = b"older"
    (folder / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_ctx 4096\n")
    assert publish(folder, "--yes") == 0
    assert len(published(hub).commits) == 2
    assert published(hub).files["Modelfile"] == (folder / "Modelfile").read_bytes()
    assert published(hub).files["older.gguf"] == b"older"


def test_a_file_that_the_hub_did_not_keep_is_noticed(folder, hub, capfd):
    hub.ignored = {"tiny.receipt.json"}
    assert publish(folder, "--yes") == 2
    assert "tiny.receipt.json" in refusal(capfd)


def test_a_file_that_changes_meanwhile_is_not_published(hub, folder):
    upload = Upload.of_file("tiny.gguf", folder / "tiny.gguf")
    with (folder / "tiny.gguf").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ConvertError, match="has changed"):
        child_process.run(client.commit_all, (client.Repository(REPO, "model", False, (upload,)),))
    assert published(hub).commits == []


def test_an_upload_that_dies_is_one_sentence_about_the_upload(folder, hub, capfd, tmp_path, monkeypatch):
    (tmp_path / "installed").mkdir()
    killed = "import os, signal\ndef get_password(*names): os.kill(os.getpid(), signal.SIGKILL)"
    (tmp_path / "installed" / "keyring.py").write_text(killed)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    monkeypatch.delenv("HF_TOKEN")
    assert publish(folder, "--yes") == 2
    assert refusal(capfd) == "The process for hub (commit_all) died of SIGKILL."


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_upload_ends_at_once_and_shows_nothing(folder, hub, stop):
    hub.may_store.clear()
    command = [sys.executable, "-m", "convert", "publish", folder, "--repo", REPO, "--yes"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert hub.upload_begun.wait(60)
    process.send_signal(stop)
    said, complaint = process.communicate(timeout=10)
    assert process.returncode == 2
    assert said == ""
    assert complaint.strip() == "Interrupted; nothing unfinished was kept."
    assert published(hub).commits == []


def put_secret(folder):
    (folder / "Modelfile").write_text("FROM ./tiny.gguf\n# " + "ghp_" + "a1B2" * 9)


def put_key(folder):
    (folder / "config.json").write_text('{"key": "-----BEGIN RSA PRIVATE KEY-----"}')


def place_adapter(folder):
    (folder / "adapter_config.json").write_text('{\n"r": 8,\n"base_model_name_or_path": "/home/anna/base"}')


def place_base(folder):
    (folder / "config.json").write_text('{"_name_or_path": "/base/"}')


def place_receipt(folder):
    receipt = json.loads((folder / "tiny.receipt.json").read_text())
    receipt["source"] = {"file": "C:\\Users\\anna\\tiny-f16.gguf"}
    (folder / "tiny.receipt.json").write_text(json.dumps(receipt))


def place_card(folder):
    (folder / "README.md").write_text("# Tiny\n\nA tuned version of [~/base](https://huggingface.co/base).\n")


def place_modelfile(folder):
    (folder / "Modelfile").write_text("FROM /media/anna/tiny.gguf\n")


def put_secret_in_model(folder):
    (folder / "tiny.receipt.json").unlink()
    write_tiny_gguf(folder / "tiny.gguf", metadata={"general.author": "ghp_" + "a1B2" * 9})


def put_secret_in_weights(folder):
    save_file({"a": np.zeros(2)}, folder / "model.safetensors", {"made_by": "ghp_" + "a1B2" * 9})


def place_in_model(folder):
    (folder / "tiny.receipt.json").unlink()
    write_tiny_gguf(folder / "tiny.gguf", metadata={"quantize.imatrix.file": "/data/anna/words.dat"})


def rename_to_weights(folder):
    (folder / "model.safetensors").write_bytes(b"EEG of Anna" * 100)


def cut_weights(folder):
    save_file({"a": np.zeros(2000)}, folder / "model.safetensors")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1])


def change_model(folder):
    write_tiny_gguf(folder / "tiny.gguf", metadata=METADATA, seed=1)


def cut_model(folder):
    (folder / "tiny.gguf").write_bytes((folder / "tiny.gguf").read_bytes()[:-1000])


def change_source(folder):
    write_tiny_gguf(folder / "tiny-f16.gguf", metadata=METADATA, seed=1)
    receipt = json.loads((folder / "tiny.receipt.json").read_text())
    receipt["source"] = {"file": "tiny-f16.gguf", "sha256": receipt["sha256"]}
    (folder / "tiny.receipt.json").write_text(json.dumps(receipt))


def change_listed(folder):
    listed = {"files": {"Modelfile": {"bytes": 17, "sha256": "0" * 64}}}
    (folder / "receipt.json").write_text(json.dumps(listed))


def misshape_receipt(folder):
    receipt = json.loads((folder / "tiny.receipt.json").read_text())
    (folder / "tiny.receipt.json").write_text(json.dumps({**receipt, "actual": ["Q4_K"]}))


def misshape_evaluation(folder):
    write_evaluation(folder)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps({**evaluation, "rows": [1, 2]}))


def damage_receipt(folder):
    (folder / "tiny.receipt.json").write_text('{"file": ')


def evaluate_another(folder):
    (folder / "evaluation.json").write_text('{"model_sha256": "0", "rows": []}')


def write_twice(folder):
    (folder / "modelfile.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
    (folder / "Modelfile.gguf").write_bytes((folder / "tiny.gguf").read_bytes())


def describe_another(folder):
    (folder / "README.md").write_text(f"# Tiny\n\nThe file's sha256 is `{'0' * 64}`.\n")


def damage_card(folder):
    (folder / "README.md").write_text("---\nlicense: [apache\n---\n# Tiny\n")


def remove_model(folder):
    (folder / "tiny.gguf").unlink()


def remove_folder(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (put_secret, "Line 2 of Modelfile looks like a secret"),
        (put_key, "Line 1 of config.json looks like a secret"),
        (place_adapter, "Line 3 of adapter_config.json names a place on a machine, /home/anna/base,"),
        (place_base, "Line 1 of config.json names a place on a machine, /base/,"),
        (place_receipt, "Line 1 of tiny.receipt.json names a place on a machine"),
        (place_card, "Line 3 of README.md names a place on a machine, ~/base,"),
        (place_modelfile, "Line 1 of Modelfile names a place on a machine, /media/anna/tiny.gguf,"),
        (put_secret_in_model, "the header of tiny.gguf looks like a secret"),
        (put_secret_in_weights, "the header of model.safetensors looks like a secret"),
        (place_in_model, "the header of tiny.gguf names a place on a machine, /data/anna/words.dat,"),
        (rename_to_weights, "model.safetensors is no safetensors file"),
        (cut_weights, "model.safetensors is no safetensors file, or a damaged one"),
        (change_model, "tiny.receipt.json was written for another tiny.gguf"),
        (change_source, "tiny.receipt.json was written for another tiny-f16.gguf"),
        (change_listed, "receipt.json was written for another Modelfile"),
        (cut_model, "cut short"),
        (misshape_receipt, "A receipt does not contain"),
        (misshape_evaluation, "evaluation.json does not contain a list of results"),
        (damage_receipt, "tiny.receipt.json is damaged"),
        (evaluate_another, "evaluation.json was measured on a model that is not among these files"),
        (write_twice, "Modelfile.gguf and modelfile.gguf are one name"),
        (describe_another, "names the sha256 of a file that is not here: 000000000000"),
        (damage_card, "front matter of README.md"),
        (remove_model, "contains no model"),
        (remove_folder, "is not a folder"),
    ],
)
def test_a_folder_that_is_not_what_it_seems_is_refused_before_anything(folder, hub, capfd, spoil, reason):
    spoil(folder)
    assert publish(folder, "--yes") == 2
    said = refusal(capfd)
    assert reason in said
    assert "a1B2" not in said
    assert hub.requests == []


def card_of(folder, capfd):
    assert publish(folder, "--json") == 0
    return json.loads(capfd.readouterr().out)["card"]


def front_matter(text):
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL)[1])


def section(card, heading):
    return re.search(rf"^## {heading}\n\n(.*?)(?=\n\n## |\n<!-- end)", card, flags=re.DOTALL | re.MULTILINE)[1]


def table(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return head, rows


def test_the_cards_figures_are_those_of_the_receipts(folder, capfd):
    write_evaluation(folder)
    card = card_of(folder, capfd)
    head, rows = table(section(card, "What conversion did to it"))
    told = dict(rows)
    assert head[1] == "`tiny.gguf`"
    assert told["type"] == "Q4_K_M"
    assert told["parameters"] == "123,456"
    assert told["bits per weight"] == "5.513"
    assert told["fell back to another type"] == "2"
    for name, figure in (
        ("KL divergence from the source, mean, nats", MEASURED["mean_kl"]),
        ("perplexity", MEASURED["perplexity"]),
        ("same most likely token as the source, share", MEASURED["same_top1"]),
        ("reading a prompt, tokens/s", MEASURED["speed"]["prompt"]),
        ("writing, tokens/s", MEASURED["speed"]["decode"]),
    ):
        assert float(told[name].replace(",", "")) == pytest.approx(figure, rel=5e-4)
    assert "Measured on: text talk.txt; answer tokens 2,048; processor AVX2, FMA." in card
    text = section(card, "What it scores")
    assert "subjects 80-99; people 20" in text
    head, rows = table(text)
    assert head == ["condition", "evidence", "balanced accuracy", "n", "ece"]
    assert rows == [["baseline", "yes", "0.3417", "1,680", ""], ["blanked", "no", "0.1111", "1,680", "0.004"]]
    files = {row[0]: row[2] for row in table(section(card, "Files"))[1]}
    assert files["`tiny.gguf`"] == f"`{hashlib.sha256((folder / 'tiny.gguf').read_bytes()).hexdigest()}`"


def test_what_was_not_measured_has_no_figure(folder, capfd):
    (folder / "tiny.receipt.json").unlink()
    card = card_of(folder, capfd)
    assert "## What conversion did to it" not in card
    assert "## What it scores" not in card
    assert "How far tiny.gguf may be from the weights it was made of was not measured" in card
    assert "How well it does its task was not measured" in card


def release_receipt(folder):
    """What ``convert all`` writes about a folder with ``tiny.gguf`` and a checkpoint, as far as cards read it."""
    (folder / "checkpoint").mkdir()
    weights = folder / "checkpoint" / "model.safetensors"
    save_file({"a": np.arange(1250, dtype=np.float32)}, weights, {"format": "pt"})
    (folder / "tiny.receipt.json").unlink()
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("tiny.gguf", OF_CHECKPOINT)}
    figures = {"weights": "26 tensors", "precision": "KL divergence 4.7e-06 nats", "tokens": "562 texts"}
    findings = [{"check": check, "figure": figure, "passed": True} for check, figure in figures.items()]
    merged = {"out": "checkpoint", "types": ["BF16"], "files": {"model.safetensors": digests[OF_CHECKPOINT]}}
    return {
        "steps": {
            "merge": merged | {"rounding": {"largest": 0.0123, "same_top": 0.875}},
            "check": {"file": "tiny.gguf", "against": "checkpoint", "passed": True, "findings": findings},
        },
        "files": {name: {"sha256": digest} for name, digest in digests.items()},
    }


def test_the_card_says_what_was_proved_of_files_that_nothing_else_measured(folder, capfd):
    receipt = release_receipt(folder)
    assert re.search(f"{OF_CHECKPOINT}, tiny.gguf .* was not measured", card_of(folder, capfd))
    (folder / "receipt.json").write_text(json.dumps(receipt))
    card = card_of(folder, capfd)
    told = section(card, "What conversion did to it")
    assert "`tiny.gguf`, against `checkpoint`. weights: 26 tensors. precision: KL divergence 4.7e-06 nats." in told
    assert f"`{OF_CHECKPOINT}`, as saved (BF16)" in told
    assert "at most 0.012 standard deviations, same top token at 87.5%" in told
    assert "from the weights it was made of was not measured" not in card


def test_a_failed_check_and_a_damaged_release_receipt_prove_nothing(folder, capfd):
    receipt = release_receipt(folder)
    receipt["steps"]["check"]["passed"] = False
    (folder / "receipt.json").write_text(json.dumps(receipt))
    assert "How far tiny.gguf may be" in card_of(folder, capfd)
    receipt["files"]["tiny.gguf"]["sha256"] = "0" * 64
    (folder / "receipt.json").write_text(json.dumps(receipt))
    assert publish(folder) == 2
    assert "was written for another tiny.gguf" in refusal(capfd)
    del receipt["files"]
    (folder / "receipt.json").write_text(json.dumps(receipt))
    assert publish(folder) == 2
    assert "does not contain what `convert all` writes" in refusal(capfd)


def test_the_card_says_what_every_reader_has_to_know(folder, capfd):
    write_evaluation(folder)
    card = card_of(folder, capfd)
    headings = re.findall(r"^## (.*)$", card, flags=re.MULTILINE)
    assert headings == ["Files", "Where it comes from", "What conversion did to it", "What it scores", "Known limits",
                        "How to run it", "What it is not for"]  # fmt: skip
    assert card.count("not a medical device") == 1
    assert "- Base model: Qwen/Qwen2-0.5B\n- Data: Twenty films, seen by four people\n- Licence: apache-2.0" in card
    assert "Diagnosis" in section(card, "What it is not for")
    assert f"ollama run hf.co/{REPO}" in card
    assert front_matter(card) == {
        **{"license": "apache-2.0", "language": ["en", "de"], "base_model": ["Qwen/Qwen2-0.5B"], "tags": ["gguf"]},
        **{"datasets": ["somebody/films"], "library_name": "llama-cpp-python", "pipeline_tag": "text-generation"},
    }


def test_a_card_that_is_there_keeps_its_text_and_its_sections(folder, capfd):
    own = "---\nlicense: mit\ntags: [eeg]\n---\n# Mine\n\nNot a word less.\n\n## What it is not for\n\nFun.\n"
    (folder / "README.md").write_text(own)
    card = card_of(folder, capfd)
    assert card.partition(BEGIN)[0].endswith("# Mine\n\nNot a word less.\n\n## What it is not for\n\nFun.\n\n")
    assert card.count("## What it is not for") == 1
    assert front_matter(card)["license"] == "mit"
    assert front_matter(card)["tags"] == ["eeg", "gguf"]
    (folder / "README.md").write_text(card)
    assert card_of(folder, capfd) == card


def test_the_card_of_the_model_in_the_box_can_be_published(capfd):
    text = (ROOT / "models" / "README.md").read_text()
    card = card_of(ROOT / "models", capfd)
    assert text.strip() in card
    assert card.count("## What it scores") == card.count("## What it is not for") == 1


@pytest.fixture
def space(hub, tmp_path):
    """The files of a Space made from the model in the box, as they arrived on the Hub, alone in a folder."""
    assert publish(ROOT / "models", "--space", SPACE, "--yes") == 0
    for path, content in hub.repos["space", SPACE].files.items():
        (tmp_path / "space" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / path).write_bytes(content)
    return tmp_path / "space"


def test_a_space_holds_the_app_and_the_model_and_nothing_else(space, hub):
    repo = hub.repos["space", SPACE]
    assert (repo.private, repo.sdk, len(repo.commits)) == (True, "gradio", 1)
    assert {path.split("/")[0] for path in repo.files} == {
        *("README.md", "LICENSE", "app.py", "requirements.txt", "copilot", "models")
    }
    assert not [path for path in repo.files if "training" in path or "test" in path or "__pycache__" in path]
    for default in (Settings().model, Settings().decoder, MODEL, WEIGHTS):
        assert repo.files[default.relative_to(ROOT).as_posix()] == default.read_bytes()
    card = front_matter(repo.files["README.md"].decode())
    assert f"gradio=={card['sdk_version']}\n" in repo.files["requirements.txt"].decode()
    assert (card["sdk"], card["app_file"], card["models"]) == ("gradio", "app.py", [REPO])


def test_a_space_starts_from_its_own_files_alone(space, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **{"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SPACE_ID": SPACE, "SYSTEM": "spaces"},
        **{"EEG_COPILOT_PORT": str(port), "EEG_COPILOT_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    }
    process = subprocess.Popen([sys.executable, "app.py"], cwd=space, env=environment, stderr=subprocess.PIPE)
    try:
        for _ in range(300):
            assert process.poll() is None, process.stderr.read().decode()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}") as answer:
                    assert "not a medical device" in answer.read().decode()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("the app does not answer")
    finally:
        process.kill()
        process.communicate()


def test_a_space_of_several_models_needs_a_recommendation(folder, hub, capfd):
    write_tiny_gguf(folder / "other.gguf", metadata=METADATA, seed=1)
    assert publish(folder, "--space", SPACE) == 2
    assert "A Space runs one GGUF file, and there are 2 here" in refusal(capfd)
    receipt = json.loads((folder / "tiny.receipt.json").read_text())
    other = {**receipt, "file": "other.gguf", "type": "Q8_0"}
    other["sha256"] = hashlib.sha256((folder / "other.gguf").read_bytes()).hexdigest()
    together = {"recommended": "other.gguf", "reason": "It is the smallest.", "receipts": [receipt, other]}
    (folder / "quantization.json").write_text(json.dumps(together))
    assert publish(folder, "--space", SPACE, "--json") == 0
    said = json.loads(capfd.readouterr().out)
    assert "Recommended: It is the smallest." in said["card"]
    files = said["repositories"][1]["files"]
    chosen = Settings().model.relative_to(ROOT).as_posix()
    assert next(file["sha256"] for file in files if file["path"] == chosen) == other["sha256"]


def test_the_client_of_the_hub_is_imported_after_its_settings():
    """It reads them once, when it is imported."""
    code = "import sys, convert.publish; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
