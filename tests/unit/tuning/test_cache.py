"""What was computed is found again, damaged files are not, and the folder stays small."""

import os
from pathlib import Path

import numpy as np

from tuning.cache import Cache, digest


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get("a") is None
    arrays = {"ids": np.arange(5, dtype=np.int32), "values": np.ones((2, 3), dtype=np.float32)}
    cache.put("a", arrays)
    found = cache.get("a")
    assert found is not None
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) and found[name].dtype == arrays[name].dtype for name in found)


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", {"ids": np.arange(5)})
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    assert cache.get("a") is None
    cache.put("a", {"ids": np.arange(5)})
    assert cache.get("a") is not None


def test_the_longest_unused_makes_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=10_000)
    for age, key in enumerate("abc"):
        cache.put(key, {"ids": np.zeros(3_000, dtype=np.uint8)})
        os.utime(tmp_path / f"{key}.safetensors", (age, age))
    cache.get("a")
    cache.put("d", {"ids": np.zeros(3_000, dtype=np.uint8)})
    assert {path.stem for path in tmp_path.glob("*")} == {"a", "c", "d"}
    cache.put("e", {"ids": np.zeros(9_000, dtype=np.uint8)})
    assert cache.get("e") is None, "what would push out all others is not kept"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Cache(tmp_path / "file" / "cache").put("a", {"ids": np.arange(5)})


def test_a_digest_tells_parts_apart() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["a"]) == digest([b"a"])
