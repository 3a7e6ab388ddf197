"""Ecosystems from real tables and from a user's own files."""

import json
from pathlib import Path

import numpy as np
import pytest
from crossfeed.sim import DATASETS, bundled_ecosystem, ecosystem_from_files
from crossfeed.theory import Weights, limit, mspe, relative_efficiency
from sklearn import datasets

from crossfeed.errors import InvalidInput

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", DATASETS)
def test_bundled_rows_are_all_used_once(name):
    ecosystem = bundled_ecosystem(name, 3)
    total = np.asarray(ecosystem.private.gram.sum(0) + ecosystem.public.gram)
    rows, _ = getattr(datasets, f"load_{name}")(return_X_y=True)
    # Standardized columns: their squares sum to the number of rows.
    np.testing.assert_allclose(np.diagonal(total), len(rows), rtol=1e-9)
    assert np.isfinite(relative_efficiency(limit(ecosystem, Weights(0.5, 0.5)))).all()


def test_entities_own_different_slices():
    grams = np.asarray(bundled_ecosystem("diabetes", 3).private.gram)
    shapes = [gram / np.trace(gram) for gram in grams]
    assert np.linalg.norm(shapes[0] - shapes[1]) > 0.1


def test_slices_follow_the_main_axis_of_the_rows():
    """The middle slice of three holds the rows that lie near the center of that axis."""
    ecosystem = bundled_ecosystem("diabetes", 3)
    axis = np.linalg.eigh(np.asarray(ecosystem.private.gram.sum(0) + ecosystem.public.gram))[1][:, -1]
    low, middle, high = np.einsum("a,kab,b->k", axis, ecosystem.private.gram, axis)
    assert middle < 0.1 * min(low, high)


def write_csv(path: Path, rows: np.ndarray) -> Path:
    np.savetxt(path, rows, delimiter=",", header="a,b,price", comments="")
    return path


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    files = []
    for name in ("one", "two", "public"):
        x = rng.standard_normal((200, 2)) * [1, 3]
        price = x @ [2.0, -1.0] + 5 + 0.5 * rng.standard_normal(200)
        files.append(write_csv(tmp_path / f"{name}.csv", np.column_stack([x, price])))
    return files


def test_tables_with_a_target_recover_the_slope_and_the_noise(tables):
    ecosystem = ecosystem_from_files(tables[:2], tables[2:], target="price")
    assert ecosystem.dimension == 2
    assert ecosystem.public.truth is not None
    np.testing.assert_allclose(ecosystem.public.truth, [2, -3], atol=0.15)  # a unit of b is now three
    np.testing.assert_allclose(ecosystem.public.noise_variance, 0.25, rtol=0.2)


def standardized(files) -> list[np.ndarray]:
    """The tables in the order of the files, each column with mean zero and variance one over all of them."""
    rows = [np.loadtxt(file, delimiter=",", skiprows=1) for file in files]
    together = np.concatenate(rows)
    return [(table - together.mean(0)) / together.std(0) for table in rows]


def grams(parts) -> np.ndarray:
    return np.stack([rows.T @ rows for rows in parts])


def test_tables_without_a_target_have_no_theta(tables):
    ecosystem = ecosystem_from_files(tables[:2], tables[2:])
    assert ecosystem.public.truth is None
    assert ecosystem.dimension == 3
    assert float(ecosystem.public.noise_variance) == 1
    *private, public = grams(standardized(tables))
    np.testing.assert_allclose(ecosystem.private.gram, private, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ecosystem.public.gram, public, rtol=1e-9, atol=1e-9)


def test_a_target_is_fitted_with_an_intercept_and_leaves_unbiased_noise(tables):
    """Few rows, so that n - 3 degrees of freedom, for two slopes and the intercept, are told from n - 2."""
    for file in tables:
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    ecosystem = ecosystem_from_files(tables[:2], tables[2:], target="price")
    price = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1)[:, 2] for file in tables])
    rows = np.concatenate(standardized(tables))[:, :2]
    (*slopes, _), (left,), *_ = np.linalg.lstsq(np.column_stack([rows, np.ones(12)]), price, rcond=None)
    assert ecosystem.public.truth is not None
    np.testing.assert_allclose(ecosystem.public.truth, slopes, rtol=1e-9)
    np.testing.assert_allclose(ecosystem.public.noise_variance, left / (12 - 3), rtol=1e-9)
    np.testing.assert_allclose(ecosystem.private.gram, grams(np.split(rows, 3)[:2]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("rows", "enough"), [(1, False), (2, True)])
def test_noise_needs_a_row_to_spare(tables, rows, enough):
    """Two slopes and the intercept take three rows, one of each file."""
    for number, file in enumerate(tables):
        kept = rows if number == 0 else 1
        file.write_text("".join(file.read_text().splitlines(keepends=True)[: 1 + kept]))
    if enough:
        assert np.isfinite(ecosystem_from_files(tables[:2], tables[2:], target="price").public.noise_variance)
    else:
        with pytest.raises(InvalidInput, match="the target has 3 rows, too few to fit 2 features"):
            ecosystem_from_files(tables[:2], tables[2:], target="price")


@pytest.fixture
def texts(tmp_path):
    words = {"a": "cat dog bird fish", "b": "sum product ratio root", "public": "cat sum dog product house tree"}
    rng = np.random.default_rng(0)
    for name, vocabulary in words.items():
        lines = [" ".join(rng.choice(vocabulary.split(), 6)) for _ in range(40)]
        if name == "public":
            (tmp_path / "books").mkdir()
            (tmp_path / "books" / "book.txt").write_text(" ".join(lines * 5))
        else:
            records = (json.dumps({"question": line, "answer": "cat sum", "id": 3}) for line in lines)
            (tmp_path / f"{name}.jsonl").write_text("\n".join(records) + "\n")
    return tmp_path


def test_texts_of_one_kind_are_alike(texts):
    ecosystem = ecosystem_from_files([texts / "a.jsonl", texts / "b.jsonl"], [texts / "books"], dimension=4)
    assert ecosystem.dimension == 4
    errors = np.asarray(mspe(limit(ecosystem, Weights(0.0, 0.99))))
    assert (np.diagonal(errors) < errors.mean(axis=0)).all()  # each is best on its own task


def test_records_and_passages_are_the_rows_of_their_own_entity(tmp_path):
    """A row of TF-IDF has length one, so the trace of a Gram matrix counts them where few directions hold all words."""
    entry = " ".join(["cat", "dog"] * 3)
    (tmp_path / "six.jsonl").write_text(f"{json.dumps({'text': entry})}\n" * 6)
    (tmp_path / "short.txt").write_text(entry)  # far less than a passage
    (tmp_path / "long.txt").write_text("dog cat " * 310)  # 2480 characters, in passages of a thousand
    ecosystem = ecosystem_from_files([tmp_path / "six.jsonl", tmp_path / "short.txt"], [tmp_path / "long.txt"], 1)
    np.testing.assert_allclose(np.ravel(ecosystem.private.gram), [6, 1], rtol=0.05)
    np.testing.assert_allclose(np.ravel(ecosystem.public.gram), [3], rtol=0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: (t / "a.jsonl").write_text('{"question": "x"}\n{"question": '), ["a.jsonl", "line 2", "JSON"]),
        (lambda t: (t / "a.jsonl").write_text('{"id": 1}\n'), ["a.jsonl", "line 1", "no text"]),
        (lambda t: (t / "a.jsonl").write_text(""), ["a.jsonl", "empty"]),
        (lambda t: (t / "a.jsonl").write_bytes(b"\xff\xfe\x00"), ["a.jsonl", "UTF-8"]),
        (lambda t: (t / "a.jsonl").unlink(), ["a.jsonl", "No such file"]),
        (lambda t: (t / "books" / "book.txt").rename(t / "book.txt"), ["books", "no file"]),
        (lambda t: (t / "books" / "more.csv").write_text("a,b\n1,2\n"), ["tables", "text"]),
    ],
)
def test_bad_texts_are_named(texts, change, words):
    change(texts)
    with pytest.raises(InvalidInput) as error:
        ecosystem_from_files([texts / "a.jsonl", texts / "b.jsonl"], [texts / "books"], dimension=4)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,price\n1,2,cheap\n", ["line 2", "'price'", "'cheap'"]),
        ("a,b,price\n1,2\n", ["line 2", "2 values"]),
        ("a,b,price\n", ["no rows"]),
        ("a,c,price\n1,2,3\n", ["columns a, c, price"]),
        ("a,b,price\n1,2,nan\n", ["line 2", "'nan'"]),
        ("a,b,price\n1,2,2021_01\n", ["line 2", "'2021_01'"]),
        ("a,b,price\n1,2,\x1c0.5\n", ["line 2", r"'\x1c0.5'"]),
        ("a,b,price\n1,２,3\n", ["line 2", "'２'"]),
        ("a,b,price\n1,1e999,3\n", ["line 2", "'1e999'"]),
        (",a,b,price\n0,1,2,3\n", ["line 1", "column 1 has no name"]),
        ("a,a,price\n1,2,3\n", ["line 1", "'a' twice"]),
        ("Unnamed: 0,a,price\n0,1,2\n", ["line 1", "'Unnamed: 0' is what pandas calls"]),
        ("0.5,1.5,2\n1,2,3\n", ["line 1", "numbers only"]),
        ("0.5,0.5,2\n1,2,3\n", ["line 1", "numbers only"]),
        ("a;b;price\n1;2,5;3\n", ["line 2", "'2,5', but must be a finite number with a decimal point"]),
        ('a,b,price\n1,2,"two\nlines\x1b"\n', ["two\\nlines\\x1b"]),
    ],
)
def test_bad_tables_are_named(tables, content, words):
    tables[1].write_text(content)
    with pytest.raises(InvalidInput) as error:
        ecosystem_from_files(tables[:2], tables[2:], target="price")
    assert all(word in str(error.value) for word in ["two.csv", *words])


@pytest.mark.parametrize("separator", [";", "\t", "|", ", "])
def test_tables_of_spreadsheets_are_read_the_same(tables, separator, tmp_path):
    expected = ecosystem_from_files(tables[:1], tables[2:], target="price")
    other = [tmp_path / f"{file.stem}.CSV" for file in tables]
    for file, copy in zip(tables, other, strict=True):
        copy.write_text(file.read_text().replace(",", separator), encoding="utf-8-sig")
    found = ecosystem_from_files(other[:1], other[2:], target="price")
    np.testing.assert_array_equal(found.private.gram, expected.private.gram)
    np.testing.assert_array_equal(found.private.truth, expected.private.truth)


def test_large_and_small_units_change_nothing_but_the_truth(tables):
    expected = ecosystem_from_files(tables[:1], tables[2:], target="price")
    for file in tables:
        header, *rows = file.read_text().splitlines()
        scaled = [
            [2.0**1000 * float(a), 2.0**-900 * float(b), 2.0**20 * float(c)] for a, b, c in (r.split(",") for r in rows)
        ]
        file.write_text("\n".join([header, *(",".join(map(repr, row)) for row in scaled)]))
    found = ecosystem_from_files(tables[:1], tables[2:], target="price")
    np.testing.assert_allclose(found.private.gram, expected.private.gram, rtol=1e-12)
    np.testing.assert_allclose(
        np.asarray(found.private.truth), 2.0**20 * np.asarray(expected.private.truth), rtol=1e-12
    )
    np.testing.assert_allclose(found.public.noise_variance, 2.0**40 * expected.public.noise_variance, rtol=1e-12)


def test_a_target_whose_square_overflows_is_refused(tables):
    for file in tables:
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([header, *(f"{row[: row.rindex(',')]},{i}e200" for i, row in enumerate(rows, 1))]))
    with pytest.raises(InvalidInput, match=r"the target reaches 2e\+202, whose square float64 cannot hold"):
        ecosystem_from_files(tables[:1], tables[2:], target="price")


def test_other_bad_requests_are_named(tables, texts):
    with pytest.raises(InvalidInput, match="cost"):
        ecosystem_from_files(tables[:2], tables[2:], target="cost")
    with pytest.raises(InvalidInput, match="dimension is 4000"):
        ecosystem_from_files([texts / "a.jsonl"], [texts / "books"], dimension=4000)
    with pytest.raises(InvalidInput, match=r"\.pdf"):
        ecosystem_from_files([texts / "a.pdf"], [texts / "books"])
    with pytest.raises(InvalidInput, match="moon"):
        bundled_ecosystem("moon")
    with pytest.raises(InvalidInput, match="entities is 0"):
        bundled_ecosystem("iris", 0)


@pytest.mark.skipif(not SHARED.exists(), reason="the project's shared data is not on this machine")
def test_real_questions_and_books():
    ecosystem = ecosystem_from_files(
        [SHARED / "sciq" / "test_qa.jsonl", SHARED / "gsm8k" / "test.jsonl"], [SHARED / "books"]
    )
    alone = np.asarray(mspe(limit(ecosystem, Weights(0.0, 0.5))))
    together = np.asarray(mspe(limit(ecosystem, Weights(0.5, 0.5))))
    assert together[0, 1] < 0.5 * alone[0, 1]  # each learns the other's task
    assert together[1, 0] < 0.5 * alone[1, 0]
