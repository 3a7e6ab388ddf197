"""Ecosystems on disk: bit for bit there and back, whole or not at all, and clear about what is wrong."""

import io
import re
import resource
import signal
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

from crossfeed import theory

from .ecosystems import random_ecosystem

GRAMS: dict[str, Any] = {
    "private": np.stack([np.eye(2)] * 2),
    "public": np.eye(2),
    "synthetic": np.stack([np.eye(2)] * 2),
}


@contextmanager
def full_disk():
    """Writing more than a kilobyte fails, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def assert_same(left, right):
    assert eqx.tree_equal(left, right, typematch=True)


@pytest.mark.parametrize("theta", [False, True])
@pytest.mark.parametrize("name", ["e.npz", "two words.npz", "no_suffix", "data.v1"])
def test_round_trip(tmp_path, name, theta):
    ecosystem = random_ecosystem(3, theta=theta)
    theory.save_ecosystem(ecosystem, tmp_path / name)
    assert_same(theory.load_ecosystem(tmp_path / name), ecosystem)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_path_as_text(tmp_path):
    theory.save_ecosystem(random_ecosystem(3), f"{tmp_path}/e.npz")
    assert_same(theory.load_ecosystem(f"{tmp_path}/e.npz"), random_ecosystem(3))


def test_it_is_jax_and_not_the_file_that_is_of_single_precision(tmp_path):
    theory.save_ecosystem(random_ecosystem(2), tmp_path / "eco.npz")
    with (
        jax.enable_x64(False),
        pytest.raises(theory.InvalidInput, match="cannot be read while JAX computes in float32"),
    ):
        theory.load_ecosystem(tmp_path / "eco.npz")


def test_what_a_file_may_leave_out(tmp_path):
    np.savez_compressed(tmp_path / "e.npz", **GRAMS)
    ecosystem = theory.load_ecosystem(tmp_path / "e.npz")
    assert ecosystem.shares.tolist() == [0.5, 0.5]
    assert float(ecosystem.public.noise_variance) == 1
    assert ecosystem.public.truth is None


def test_whole_and_single_precision_numbers_are_read(tmp_path):
    other: dict[str, Any] = {"public": np.eye(2, dtype=int), "private": GRAMS["private"].astype("f4")}
    np.savez(tmp_path / "e.npz", **GRAMS | other)
    assert theory.load_ecosystem(tmp_path / "e.npz").public.gram.tolist() == [[1, 0], [0, 1]]


BAD_ARRAYS = {
    "missing": ({"private": GRAMS["private"], "public": np.eye(2)}, "no key 'synthetic': it holds private, public"),
    "empty": ({}, "no key 'private': it holds nothing"),
    "unknown": (GRAMS | {"noise": np.ones(1)}, "unknown key 'noise'"),
    "text": (GRAMS | {"public": np.array("x")}, "public .* must hold real numbers"),
    "complex": (GRAMS | {"public": 1j * np.eye(2)}, "public .* holds complex128"),
    "objects": (GRAMS | {"public": np.array([None])}, "public .* holds object, but must hold real numbers"),
    "indefinite": (GRAMS | {"public": -np.eye(2)}, "public is not positive semi-definite"),
    "shape": (GRAMS | {"private": np.eye(2)}, r"private must have shape \(K, d, d\)"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_arrays(tmp_path, arrays, message):
    path = tmp_path / "e.npz"
    np.savez(path, **arrays)
    with pytest.raises(theory.InvalidInput, match=message) as caught:
        theory.load_ecosystem(path)
    assert str(path) in str(caught.value)


def npz_bytes(folder, save=np.savez):
    save(folder / "whole.npz", **GRAMS)
    return (folder / "whole.npz").read_bytes()


def npy_bytes(folder):
    np.save(folder / "one.npy", np.eye(2))
    return (folder / "one.npy").read_bytes()


def damaged(folder, save):
    content = bytearray(npz_bytes(folder, save))
    content[60:90] = bytes(30)
    return bytes(content)


BAD_FILES = {
    "empty": lambda folder: b"",
    "text": lambda folder: b"private = 1\n",
    "truncated": lambda folder: npz_bytes(folder)[:-100],
    "first half": lambda folder: npz_bytes(folder)[: len(npz_bytes(folder)) // 2],
    "damaged": lambda folder: damaged(folder, np.savez),
    "damaged compressed": lambda folder: damaged(folder, np.savez_compressed),
    "single array": npy_bytes,
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(tmp_path, content):
    path = tmp_path / "e.npz"
    path.write_bytes(content(tmp_path))
    with pytest.raises(theory.InvalidInput, match=f"{re.escape(str(path))} is "):
        theory.load_ecosystem(path)


def test_missing_file(tmp_path):
    with pytest.raises(theory.InvalidInput, match=r"cannot read .*nowhere\.npz: No such file"):
        theory.load_ecosystem(tmp_path / "nowhere.npz")


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(theory.InvalidInput, match=f"cannot read {re.escape(str(tmp_path))}"):
        theory.load_ecosystem(tmp_path)
    with pytest.raises(theory.InvalidInput, match=f"cannot write {re.escape(str(tmp_path))}"):
        theory.save_ecosystem(random_ecosystem(3), tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(theory.InvalidInput, match=r"cannot write .*nowhere.*: No such file"):
        theory.save_ecosystem(random_ecosystem(3), tmp_path / "nowhere" / "e.npz")


def test_failed_save_leaves_nothing(tmp_path):
    large = random_ecosystem(3, 3, 20)
    with full_disk(), pytest.raises(theory.InvalidInput, match=r"cannot write .*e\.npz"):
        theory.save_ecosystem(large, tmp_path / "e.npz")
    assert not list(tmp_path.iterdir())


def test_failed_save_keeps_the_old_file(tmp_path):
    old, large = random_ecosystem(3, 1, 1), random_ecosystem(3, 3, 20)
    theory.save_ecosystem(old, tmp_path / "e.npz")
    with full_disk(), pytest.raises(theory.InvalidInput):
        theory.save_ecosystem(large, tmp_path / "e.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["e.npz"]
    assert_same(theory.load_ecosystem(tmp_path / "e.npz"), old)


def rewritten(path: Path, change: Callable[[zipfile.ZipFile, dict[str, bytes]], None]) -> Path:
    """A good archive whose members another writer has changed."""
    np.savez(path, **GRAMS)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        change(archive, members)
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _claim(members: dict[str, bytes], shape: str) -> None:
    content = members["public.npy"]
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    members["public.npy"] = content[:10] + header.encode() + content[128:]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda archive, members: _claim(members, "(100000, 100000)"), "'public' says it has shape .100000, 100000."),
        (lambda archive, members: _claim(members, f"({2**70}, 2)"), "'public' says it has shape|damaged"),
        (lambda archive, members: _claim(members, "(" * 40), "damaged, or not an .npz archive"),
        (
            lambda archive, members: members.update({"public.npy": _large_zeros()}),
            "public must have shape .2, 2. where private has .2, 2, 2., but has shape .6000, 6000.",
        ),
        (lambda archive, members: archive.writestr("public", members["public.npy"]), "holds 'public' twice"),
        (
            lambda archive, members: members.update({"private_noise.npy": _array(np.ones(2))}),
            "has the key 'private_noise', so it needs public_noise, synthetic_noise too",
        ),
    ],
    ids=["giant", "bigger", "nested", "other shape", "twice", "noise"],
)
def test_lies_are_found_before_memory_is_taken(tmp_path, change, says):
    path = rewritten(tmp_path / "e.npz", change)
    tracemalloc.start()
    with pytest.raises(theory.InvalidInput, match=says):
        theory.load_ecosystem(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def _array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _large_zeros() -> bytes:
    return _array(np.zeros((6000, 6000)))
