"""A batch on a Ray cluster: two nodes on this machine read what one process reads."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from copilot.batch.backends import ray_cluster
from copilot.batch.worker import BatchError, Task
from copilot.record.export.json_format import from_json
from copilot.settings import Settings
from tests.unit.batch.test_run import batch, folder_of, rows

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@pytest.fixture(scope="module")
def address():
    """Of a cluster of two nodes with one core each, which reports to nobody."""
    pytest.importorskip("ray", reason="Ray is not installed")
    before = dict(os.environ)
    os.environ.update(QUIET)
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "memory": 4 * 2**30, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(**node)
    yield made.address
    made.shutdown()
    os.environ.clear()
    os.environ.update(before)


def test_both_nodes_read_and_find_what_one_machine_finds(address, tmp_path):
    folder = folder_of(tmp_path / "in", 4)
    (folder / "P9_bad.edf").write_bytes(b"0       no recording")
    assert batch(folder, tmp_path / "ray", "--ray", address).returncode == 0
    assert batch(folder, tmp_path / "local").returncode == 0
    here, there = rows(tmp_path / "local"), rows(tmp_path / "ray")
    assert [row["status"] for row in there] == ["done"] * 4 + ["failed"]
    assert len({row["worker"] for row in there if row["status"] == "done"}) == 2
    for one, other in zip(here, there, strict=True):
        assert {name for name in one if one[name] != other[name]} <= {"seconds_taken", "worker"}
    ours, theirs = (from_json((tmp_path / out / "records" / "0001.json").read_text()) for out in ("local", "ray"))
    assert [field.value for field in ours.fields] == [field.value for field in theirs.fields]


def test_a_recording_arrives_with_all_its_files_and_leaves_none(tmp_path):
    header, data, package = tmp_path / "a.vhdr", tmp_path / "a.eeg", tmp_path / "egi.mff"
    package.mkdir()
    for path in (header, data, package / "signal1.bin"):
        path.write_bytes(path.name.encode())
    sent = ray_cluster.RayPayload.pack(Task(7, (header, data), baselines=(package, header)))
    assert not any(str(tmp_path) in str(path) for path in (*sent.task.files, *sent.task.baselines))
    with sent.unpack() as task:
        assert [path.read_bytes() for path in task.files] == [b"a.vhdr", b"a.eeg"]
        assert len({path.parent for path in task.files}) == 1
        assert (task.baselines[0] / "signal1.bin").read_bytes() == b"signal1.bin"
        assert task.baselines[1].with_suffix(".eeg").read_bytes() == b"a.eeg"
        assert task.number == 7
        assert Path(tempfile.gettempdir()) == task.files[0].parents[1]
    assert not any(path.exists() for path in (*task.files, *task.baselines))


def test_what_a_killed_reader_left_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    left, own = tmp_path / f"{ray_cluster.SCRATCH}4194305-x", tmp_path / f"{ray_cluster.SCRATCH}{os.getpid()}-x"
    (left / "recording").mkdir(parents=True)
    own.mkdir()
    ray_cluster.remove_abandoned_folders()
    assert list(tmp_path.iterdir()) == [own]


def test_a_machine_with_another_model_is_refused():
    pytest.importorskip("ray", reason="Ray is not installed")
    assert "another model file" in ray_cluster.RemoteWorker().open(Settings(), "f" * 64)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999", "nonsense"])
def test_a_cluster_that_is_not_there_is_a_sentence(address):
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(BatchError, match=r"cannot be used: .*\. Check the address"):
        list(ray_cluster.run_tasks([Task(1, (Path("a.edf"),))], Settings(), 0, address))


def test_without_ray_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BatchError, match="pip install"):
        list(ray_cluster.run_tasks([Task(1, (Path("a.edf"),))], Settings(), 0, "auto"))
