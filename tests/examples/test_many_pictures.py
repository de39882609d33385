"""Pictures enlarged by workers of Ray, of which one dies half-way."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from contconv.models import superres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.plain,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="NOT TRIED: examples/many_pictures.py; ray is not installed",
    ),
]

ROOT = Path(__file__).parents[2]
COUNT = 17


@pytest.fixture(scope="module")
def photographs() -> dict[str, np.ndarray]:
    image = data.astronaut()
    return {
        f"{i // 6}/p{i:02d}.png": image[20 * i : 20 * i + 12 + i, 100 : 120 + 2 * i]
        for i in range(COUNT)
    }


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, np.ndarray]
) -> Path:
    """Where the recipe has run: on shards, Parquet, and a folder."""
    import pandas

    place = tmp_path_factory.mktemp("many")
    write_shards(place, photographs)
    write_folder(place / "photographs", photographs)
    keys, contents = list(photographs), [png(one) for one in photographs.values()]
    table = {"key": [*keys, "../out"], "image": [*contents, contents[0]], "label": 1}
    pandas.DataFrame(table).to_parquet(place / "all.parquet")
    script = [sys.executable, "-m", "tests.examples.workers_that_die"]
    path = os.pathsep.join(one for one in sys.path if one)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), path]),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Else they stand back behind all that runs: on a busy machine, for ever.
        "RAY_worker_niceness": "0",
        # A busy machine may be ten times slower than the usual ones.
        "RAY_raylet_start_wait_time_s": "60",
        "RAY_worker_register_timeout_seconds": "600",
    }
    run = [*script, str(place), str(COUNT // 2)]
    subprocess.run(run, env=environment, cwd=ROOT, check=True)
    return place


@pytest.fixture(scope="module")
def made(place: Path) -> dict[str, Any]:
    return json.loads((place / "made.json").read_text())


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_shards(folder: Path, photographs: dict[str, np.ndarray]) -> None:
    """A WebDataset of three shards, with labels beside the pictures."""
    for shard in range(3):
        with tarfile.open(folder / f"{shard:02d}.tar", "w") as tar:
            for key, pixels in photographs.items():
                if key.startswith(f"{shard}/"):
                    name = key.removesuffix(".png")
                    for end, content in (("png", png(pixels)), ("cls", b"1")):
                        info = tarfile.TarInfo(f"{name}.{end}")
                        info.size = len(content)
                        tar.addfile(info, io.BytesIO(content))


def write_folder(folder: Path, photographs: dict[str, np.ndarray]) -> None:
    """The same as files, with a damaged one among them."""
    for key, pixels in photographs.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(png(pixels))
    (folder / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")


def check(folder: Path, photographs: dict[str, np.ndarray]) -> None:
    """Every picture is there, once, whole, and what the network makes of it."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert found == {f"{key}.png" for key in photographs}
    net = superres.load().requires_grad_(False)
    for key, pixels in photographs.items():
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
        out = 255 * net(image, scale=(1.5, 2))[0].permute(1, 2, 0).clamp(0, 1)
        made = np.asarray(Image.open(folder / f"{key}.png"))
        assert made.shape == out.shape
        assert np.abs(made - out.numpy()).max() <= 0.501


def errors(records: list[dict[str, Any]]) -> dict[str, str]:
    return {one["key"]: one["error"] for one in records if one["error"]}


def test_a_worker_dies_and_nothing_is_lost_or_doubled(
    place: Path, made: dict[str, Any], photographs: dict[str, np.ndarray]
):
    assert (place / "shards" / "died").exists()
    lines = (place / "shards" / "calls.txt").read_text().splitlines()
    calls = [line.split() for line in lines]
    assert len({process for process, _ in calls}) >= 2
    # What was made and not reported was asked for again.
    assert len(calls) > COUNT
    assert Counter(one["key"] for one in made["shards"]) == Counter(list(photographs))
    assert not errors(made["shards"])
    check(place / "shards" / "large", photographs)


def test_a_damaged_picture_stops_no_other(
    place: Path, made: dict[str, Any], photographs: dict[str, np.ndarray]
):
    assert list(errors(made["folder"])) == ["half.jpg"]
    assert "half.jpg is damaged" in errors(made["folder"])["half.jpg"]
    assert Counter(one["key"] for one in made["folder"]) == Counter(
        [*photographs, "half.jpg"]
    )


def test_a_second_call_makes_what_is_missing(
    place: Path, made: dict[str, Any], photographs: dict[str, np.ndarray]
):
    assert made["untouched"]
    assert list(errors(made["again"])) == ["half.jpg"]
    check(place / "folder", photographs)


def test_parquet_and_a_key_that_leads_out_of_the_folder(
    place: Path, made: dict[str, Any], photographs: dict[str, np.ndarray]
):
    assert list(errors(made["parquet"])) == ["../out"]
    assert "names a file outside" in errors(made["parquet"])["../out"]
    check(place / "parquet", photographs)


def test_workers_leave_a_core_to_read_with(made: dict[str, Any]):
    assert made["refused"] == (
        "workers must be fewer than the 3 cores of the cluster, which are also read "
        "with, got 3"
    )
