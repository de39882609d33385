"""The committed records are of the cases as they stand, and the page is of them."""

import pytest

from benchmarks import records
from benchmarks.cases import CASES, Case
from benchmarks.contenders import able, explained
from benchmarks.figures import draw_growth, draw_targets
from benchmarks.growth import AXES, LINES, line, points, slope, slopes
from benchmarks.parts import PARTS
from benchmarks.records import FIGURES
from benchmarks.resizing import PHOTOS
from benchmarks.standing import standing
from benchmarks.targets import ALL, NETWORK, TARGETS

NAMES = {
    "cases": [case.name for case in CASES],
    "resize": [photo.name for photo in PHOTOS],
    "growth": [name for name, _ in points()],
}


@pytest.mark.parametrize("part", PARTS)
def test_record_has_every_case(part):
    record = records.read(PARTS[part].record())
    assert record["commit"] and record["torch"] and record["threads"]
    result = record["result"].get("points", record["result"])
    assert list(result) == NAMES[part]
    for contenders in result.values():
        assert {PARTS[part].ours, PARTS[part].unit} <= set(contenders)
        for spread in contenders.values():
            assert 0 < spread["low"] <= spread["ms"] <= spread["high"]
            assert spread["extra"] >= 0


def test_record_has_every_contender():
    record = records.read(PARTS["cases"].record())["result"]
    for case in CASES:
        # Of the machine of the record, which had the engine in C++.
        assert {*able(case), "native"} == set(record[case.name])


def test_slopes_are_those_of_the_points():
    record = records.read(PARTS["growth"].record())["result"]
    assert records.as_json(slopes(record["points"])) == record["slopes"]
    for measure in ("ms", "extra"):
        assert set(record["slopes"][measure]) == set(AXES)
        for axis in AXES:
            assert set(record["slopes"][measure][axis]) == set(LINES)
            # The engine in C++ takes less memory than can be measured.
            name = "shrinking" if measure == "ms" else "F.conv2d"
            assert len(line(record["points"], axis, name, measure)) >= 4


def test_slope_of_a_power():
    power, offset = slope({x: 5.0 * x**1.5 for x in (1, 2, 4, 8, 16)})
    assert power == pytest.approx(1.5)
    assert offset == pytest.approx(1.6094379)


def test_every_target_stands_somewhere():
    rows = standing()
    found = {target for target, _ in rows}
    assert found - {NETWORK} == {*TARGETS.values(), *ALL}
    words = {"reached", "first step", "missed"}
    for target, ratios in rows:
        assert ratios, target.what
        assert target.verdict(list(ratios.values())) in words


def test_figures_are_drawn_from_the_records(tmp_path):
    draw_growth(records.read(PARTS["growth"].record()), tmp_path / "growth.png")
    draw_targets(standing(), tmp_path / "targets.png")
    for name in ("growth.png", "targets.png"):
        assert (tmp_path / name).stat().st_size > 10_000
        assert (FIGURES / name).exists()


def test_the_choice_is_nearly_the_best():
    """By the record: within 1.3 times the fastest engine in 9 of 10 cases."""
    record = records.read(PARTS["cases"].record())["result"]
    cases = [c for c in CASES if not c.backward and c.dtype == "float32"]
    losses = {case.name: _loss(case, record[case.name]) for case in cases}
    bad = {name: f"{loss:.2f}" for name, loss in losses.items() if loss > 1.3}
    assert len(bad) <= 0.1 * len(cases), bad


def _loss(case: Case, recorded: dict[str, dict[str, float]]) -> float:
    """The time of the engine that is picked over that of the best."""
    explanation = explained(case)
    times = [recorded[n]["ms"] for n in explanation.engines if n in recorded]
    return recorded[explanation.engine]["ms"] / min(times)
