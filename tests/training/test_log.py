"""The log: one line each, at once; a resume writes none twice."""

import json

import pytest

from training import log
from training.progress import Progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / log.NAME


def written(path, steps, position=None):
    """The log of a training with epochs of four steps, from one step to another."""
    lines = log.JsonLines(path, position or Progress(4))
    for done in steps:
        lines.write("step", {"epoch": (done - 1) // 4, "steps": done, "loss": 0.5})
        if done % 4 == 0:
            lines.write("epoch", {"epoch": done // 4 - 1, "steps": done})
    return lines


def test_lines(path):
    lines = written(path, range(1, 3))
    text = path.read_text()
    assert text.splitlines()[1] == json.dumps(
        {"kind": "step", "epoch": 0, "steps": 2, "loss": 0.5}
    )
    assert text.endswith("}\n")
    lines.close()


@pytest.mark.parametrize("saved", [0, 3, 4, 5, 8])
@pytest.mark.parametrize("tested", [True, False])
def test_what_comes_after_the_checkpoint_is_written_again(path, saved, tested):
    """Also where the last step of an epoch was saved, and its test was not."""
    written(path, range(1, 13)).close()
    whole = path.read_text()
    with path.open("a") as file:
        file.write('{"kind": "step", "epo')
    position = Progress(4, *divmod(saved, 4))
    if saved and saved % 4 == 0 and not tested:
        position = Progress(4, saved // 4 - 1, 4)
        lines = log.JsonLines(path, position)
        lines.write("epoch", {"epoch": saved // 4 - 1, "steps": saved})
        lines.close()
        position.end_epoch({})
    written(path, range(saved + 1, 13), position).close()
    assert path.read_text() == whole


def test_no_log(path):
    assert log.read(path) == []


def test_lines_are_json(path):
    lines = log.JsonLines(path, Progress(4))
    with pytest.raises(ValueError, match="JSON"):
        lines.write("step", {"loss": float("nan")})
    lines.close()
