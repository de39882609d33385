"""How the records stand to the targets."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import records
from benchmarks.cases import CASES
from benchmarks.parts import PARTS, RESULTS
from benchmarks.resizing import PHOTOS
from benchmarks.runner import Result
from benchmarks.targets import ALL, NETWORK, TARGETS, Target

Ratios = dict[str, float]


def standing(folder: Path = RESULTS) -> list[tuple[Target, Ratios]]:
    """Each target with its ratios, by the names of the cases."""
    layers, photos = (
        records.read(PARTS[part].record(folder))["result"]
        for part in ("cases", "resize")
    )
    of = {case.name: case.target for case in CASES}
    full = {case.name for case in CASES if case.dtype == "float32"}
    cubic = {photo.name for photo in PHOTOS if photo.kernel == "cubic"}
    rows = [
        (target, _ratios(target, layers, lambda case, key=key: of.get(case) == key))
        for key, target in TARGETS.items()
        if target.layer == "contconv"
    ]
    rows += [(target, _ratios(target, layers, full.__contains__)) for target in ALL]
    resize = TARGETS["resize"]
    rows.append((resize, _ratios(resize, photos, lambda case: case in cubic)))
    if (steps := folder / "networks.json").exists():
        measured = records.read(steps)["result"]
        rows.append((NETWORK, _ratios(NETWORK, measured, lambda step: True)))
    return [(target, ratios) for target, ratios in rows if ratios]


def _ratios(target: Target, result: Result, belongs: Callable[[str], bool]) -> Ratios:
    found = {
        case: target.ratio(contenders)
        for case, contenders in result.items()
        if belongs(case)
    }
    return {case: ratio for case, ratio in found.items() if ratio is not None}
