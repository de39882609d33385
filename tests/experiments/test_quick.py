"""Every experiment runs in its small variant, holds its claim, and draws its figure."""

from dataclasses import asdict
from importlib import import_module

import pytest

from experiments import _record
from experiments.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_quick_variant(name, tmp_path):
    """The claim holds; the plot needs the record alone, as read back from its file."""
    experiment = import_module(f"experiments.{name}")
    result = experiment.run(experiment.QUICK)
    experiment.check(result)
    record = tmp_path / "record.json"
    _record.write(record, experiment.QUICK, result, 1.0)
    experiment.plot(_record.read(record), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "figure.png",
        "record.json",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_committed_record(name):
    """It holds the claim, and was made by the full setting as it stands now."""
    experiment = import_module(f"experiments.{name}")
    record = _record.read(_record.RESULTS / f"{name}.json")
    config = _record.as_json(asdict(experiment.Config()))
    assert record["config"] == config
    assert record["commit"] and record["torch"]
    assert (_record.FIGURES / f"{name}.png").exists()


def test_unknown_name(capsys):
    from experiments.__main__ import main

    with pytest.raises(SystemExit, match="unknown experiment 'nothing'; choose one of"):
        main("nothing")
