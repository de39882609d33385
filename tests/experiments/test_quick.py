"""Every experiment runs in its small variant, holds its claim, and draws its figure."""

from dataclasses import asdict
from importlib import import_module

import pytest

from benchmarks import records
from benchmarks.records import REPOSITORY
from experiments import RESULTS, table
from experiments.__main__ import NAMES
from experiments.shared import networks
from training.errors import DataError


@pytest.mark.parametrize("name", NAMES)
def test_quick_variant(name, tmp_path, monkeypatch):
    """The claim holds; the plot needs the record alone, as read back from its file."""
    monkeypatch.setattr(networks, "WORKING", tmp_path / "networks")
    experiment = import_module(f"experiments.claims.{name}")
    try:
        result = experiment.run(experiment.QUICK)
    except DataError as error:
        pytest.skip(f"{name} WAS NOT TRIED: {error}")
    experiment.check(result)
    record = tmp_path / "record.json"
    records.write(record, experiment.QUICK, result, 1.0)
    experiment.plot(records.read(record), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "figure.png",
        "record.json",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_committed_record(name):
    """It holds the claim, and was made by the full setting as it stands now."""
    if name in table.missing():
        pytest.skip(f"{name} HAS NO RECORD: python -m experiments {name}")
    experiment = import_module(f"experiments.claims.{name}")
    record = records.read(RESULTS / f"{name}.json")
    config = records.as_json(asdict(experiment.Config()))
    assert record["config"] == config
    assert record["commit"] and record["torch"]
    assert (records.FIGURES / f"{name}.png").exists()


def test_unknown_name(capsys):
    from experiments.__main__ import main

    with pytest.raises(SystemExit, match="unknown experiment 'nothing'; choose one of"):
        main("nothing")


def test_readme_has_rows_of_the_records():
    """`python -m experiments table` writes it."""
    readme = (REPOSITORY / "README.md").read_text()
    found = readme.split(table.START)[1].split(table.END)[0].strip()
    assert found == table.highlights("docs/gallery.md")
    assert found.count("\n") == 1 + len(table.HIGHLIGHTS)


def test_every_experiment_is_in_the_gallery():
    assert sorted(table.ORDER) == sorted(NAMES)
