"""Every experiment runs in its small variant, holds its claim, and draws its figure."""

import json
from dataclasses import asdict
from importlib import import_module

import pytest

from benchmarks import records
from benchmarks.records import REPOSITORY
from experiments import RESULTS, table
from experiments.__main__ import NAMES, main, names
from experiments.shared import networks
from training.errors import DataError


@pytest.fixture
def untouched(monkeypatch, tmp_path):
    """What is committed stays as it is: a run that touches it fails."""
    monkeypatch.setattr("experiments.__main__.RESULTS", tmp_path / "results")
    monkeypatch.setattr(records, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(networks, "WORKING", tmp_path / "networks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*"))


# The quick ones of them take no second.
QUICK = ("projected_grid", "repeated_filter")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in NAMES],
)
def test_quick_variant(name, untouched):
    """The claim holds; the plot needs the record alone; both go to `out`."""
    try:
        main(name, quick=True)
    except DataError as error:
        pytest.skip(f"{name} NOT TRIED: {error}")
    assert files(untouched / "out") == [f"{name}.json", f"{name}.png"]
    assert (untouched / "out" / f"{name}.png").stat().st_size > 10_000
    assert not {"results", "figures"} & {path.name for path in untouched.iterdir()}


def test_only_record_overwrites(untouched):
    """And that of the full setting alone, which takes this experiment no time."""
    with pytest.raises(SystemExit, match="--record keeps runs of the full setting"):
        main("projected_grid", quick=True, record=True)
    assert files(untouched) == []
    main("projected_grid", record=True)
    assert files(untouched) == [
        "figures/projected_grid.png",
        "results/projected_grid.json",
    ]


def test_names(capsys):
    """Every experiment has a line, with the time that its record says."""
    names()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(NAMES)
    for line in lines:
        name, count, unit, *claim = line.split()
        if name in table.missing():
            assert (count, unit) == ("not", "run")
            continue
        seconds = records.read(RESULTS / f"{name}.json")["seconds"]
        # Rounded to whole seconds, or from two minutes on to whole minutes.
        length = {"s": 1, "min": 60}[unit]
        assert abs(int(count) * length - seconds) <= length / 2 and claim
        assert (unit == "s") == (seconds < 120)


def test_training_that_is_stored_is_told():
    """Else hours would seem to be seconds: of 15 networks of 5 epochs, here."""
    own, _, training = table.taken("accuracy").partition(" + ")
    paths = (table.ROOT / "weights").glob("*-0-[012].json")
    epochs = [epoch for path in paths for epoch in json.loads(path.read_text())]
    assert own.endswith(" s") and len(epochs) == 75
    hours = sum(epoch["seconds"] for epoch in epochs) / 3600
    assert training == f"{hours:.1f} h"
    assert "+" not in table.taken("rotation")


@pytest.mark.parametrize("name", NAMES)
def test_committed_record(name):
    """It was made by the full setting as it stands now."""
    if name in table.missing():
        pytest.skip(f"{name} HAS NO RECORD: python -m experiments {name} --record")
    experiment = import_module(f"experiments.claims.{name}")
    record = records.read(RESULTS / f"{name}.json")
    config = records.as_json(asdict(experiment.Config()))
    assert record["config"] == config
    assert record["commit"] and record["torch"]
    assert (records.FIGURES / f"{name}.png").exists()


def test_unknown_name():
    with pytest.raises(SystemExit, match="unknown experiment 'nothing'; choose one of"):
        main("nothing")


def test_readme_has_rows_of_the_records():
    """`python -m experiments table` writes it."""
    readme = (REPOSITORY / "README.md").read_text()
    found = readme.split(table.START)[1].split(table.END)[0].strip()
    assert found == table.highlights(table.CLAIMS)
    assert found.count("\n") == 2 + len(table.HIGHLIGHTS)


def test_every_experiment_is_in_the_gallery():
    assert sorted(table.ORDER) == sorted(NAMES)
