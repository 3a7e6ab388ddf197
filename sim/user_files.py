"""Ecosystems from a user's own files: text in `.txt` and `.jsonl`, tables in `.csv`, or folders of them."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from crossfeed.errors import InvalidInput
from crossfeed.reading import json_lines, read_text_file

from ..theory.ecosystem import Ecosystem
from .real_data import standardize, table_ecosystem

_PASSAGE = 1000  # characters: about the length of one question with its answer
_SUFFIXES = (".txt", ".jsonl", ".csv")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)  # float() takes 2021_01 and other digits too
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_UNNAMED = re.compile(r"Unnamed: \d+")


def ecosystem_from_files(
    private: Sequence[Path], public: Sequence[Path], dimension: int = 32, target: str | None = None
) -> Ecosystem:
    """Ecosystem in which entity k owns the contents of `private[k]`.

    Text is represented by the leading singular directions of its TF-IDF matrix, with one row per record of a `.jsonl` file or
    passage of about 1000 characters; θ is then unknown. Tables hold numbers only, below a line of names, with commas,
    semicolons, tabs or bars between them; their columns are standardized over all files.

    Args:
        private: one file or folder per entity.
        public: files or folders; together they are the public data.
        dimension: d, the number of features of text; tables have as many as columns that vary.
        target: the column of the tables that holds the label; θ and σ² are then fitted to it.

    Returns:
        The ecosystem, in which entities publish labels for their own private inputs.

    Raises:
        InvalidInput: a file is missing, empty, damaged or of an unknown kind, text and tables are mixed, the target is no
            column, or the texts have fewer dimensions.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.sim import ecosystem_from_files
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Path(folder, "table.csv")
        ...     _ = table.write_text("size,price\\n1,2\\n2,5\\n3,5\\n4,9\\n")
        ...     ecosystem = ecosystem_from_files([table, table], [table], target="price")
        >>> ecosystem.entities, ecosystem.dimension
        (2, 1)
    """
    if not private:
        raise InvalidInput("private names no file, but there must be at least one entity")
    if not public:
        raise InvalidInput("public names no file, but entities need public data")
    groups = [_files(path) for path in private] + [[file for path in public for file in _files(path)]]
    tables = {_suffix(file) == ".csv" for group in groups for file in group}
    if len(tables) > 1:
        raise InvalidInput("some files are tables (.csv) and some are text: an ecosystem needs files of one kind")
    if tables.pop():
        return _from_tables(groups, target)
    if target is not None:
        raise InvalidInput(f"target is '{target}', but only tables (.csv) have a target column")
    return _from_texts(groups, dimension)


def _from_texts(groups: list[list[Path]], dimension: int) -> Ecosystem:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [[text for file in group for text in _read_texts(file)] for group in groups]
    documents = [text for group in texts for text in group]
    try:
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000)
        counts = cast(Any, words.fit_transform(documents))
    except ValueError as error:
        raise InvalidInput(f"the {len(documents)} texts share no words to build features from") from error
    if not 1 <= dimension < min(counts.shape):
        raise InvalidInput(
            f"dimension is {dimension}, but must be from 1 to {min(counts.shape) - 1} for {counts.shape[0]} texts "
            f"with {counts.shape[1]} shared words"
        )
    with np.errstate(invalid="ignore"):  # texts that are all alike have no variance to explain
        rows = TruncatedSVD(dimension, random_state=0).fit_transform(counts)
    parts = np.split(rows, np.cumsum([len(group) for group in texts])[:-1])
    return table_ecosystem(parts[:-1], parts[-1])


def _from_tables(groups: list[list[Path]], target: str | None) -> Ecosystem:
    tables = [[_read_table(file) for file in group] for group in groups]
    header = tables[0][0][0]
    for group, files in zip(tables, groups, strict=True):
        for (names, _), file in zip(group, files, strict=True):
            if names != header:
                raise InvalidInput(f"{file} has columns {', '.join(names)}, but {groups[0][0]} has {', '.join(header)}")
    values = [np.concatenate([rows for _, rows in group]) for group in tables]
    together = np.concatenate(values)
    cuts = np.cumsum([len(rows) for rows in values])[:-1]
    if target is None:
        parts = np.split(standardize(together), cuts)
        return table_ecosystem(parts[:-1], parts[-1])
    if target not in header:
        raise InvalidInput(f"target is '{target}', but the columns are {', '.join(header)}")
    column = header.index(target)
    rows = standardize(np.delete(together, column, axis=1))
    parts = np.split(rows, cuts)
    return table_ecosystem(parts[:-1], parts[-1], (rows, together[:, column]))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if _suffix(file) in _SUFFIXES and not file.is_dir())
        if not found:
            raise InvalidInput(f"{path} holds no file ending in {', '.join(_SUFFIXES)}")
        return found
    if not path.exists():
        raise InvalidInput(f"cannot read {path}: No such file or directory")
    if _suffix(path) not in _SUFFIXES:
        raise InvalidInput(f"{path} ends in '{path.suffix}', but must end in {', '.join(_SUFFIXES)} or be a folder")
    return [path]


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _read_texts(path: Path) -> list[str]:
    if _suffix(path) == ".jsonl":
        return [_record_text(where, record) for where, record in json_lines(path)]
    words = read_text_file(path).split()
    passages, start, length = [], 0, 0
    for position, word in enumerate(words, 1):
        length += len(word) + 1
        if length >= _PASSAGE or position == len(words):
            passages.append(" ".join(words[start:position]))
            start, length = position, 0
    return passages


def _record_text(where: str, record: object) -> str:
    values = record.values() if isinstance(record, dict) else [record]
    text = "\n".join(value for value in values if isinstance(value, str))
    if not text:
        raise InvalidInput(f"{where} holds no text: {json.dumps(record, ensure_ascii=False)[:60]}")
    return text


def _read_table(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and the numbers below them."""
    text = read_text_file(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), skipinitialspace=True)
    try:
        (number, header), *body = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise InvalidInput(f"{path} line {reader.line_num} is not CSV: {error}") from error
    header = [name.strip() for name in header]
    _check_header(f"{path} line {number}", header)
    if not body:
        raise InvalidInput(f"{path} has a header but no rows")
    rows = []
    for number, line in body:
        if len(line) != len(header):
            raise InvalidInput(f"{path} line {number} has {len(line)} values, but the header names {len(header)}")
        rows.append([_number(path, number, name, cell) for name, cell in zip(header, line, strict=True)])
    return header, np.array(rows)


def _separator(text: str) -> str:
    """Character between columns: a comma, unless the header has none but a semicolon, a tab or a bar."""
    header = next(line for line in text.split("\n") if line.strip())
    return next((one for one in ";\t|" if one in header and "," not in header), ",")


def _check_header(where: str, header: list[str]) -> None:
    """Refuse a header whose columns cannot be told apart, that is a row of numbers, or that numbers the rows below it."""
    if all(map(_NUMBER.fullmatch, header)):
        raise InvalidInput(f"{where} holds numbers only, but must name the columns: add a line of names above it")
    if "" in header:
        raise InvalidInput(
            f"{where}: column {header.index('') + 1} has no name; if it numbers the rows, as pandas writes it, leave it out"
        )
    if unnamed := [name for name in header if _UNNAMED.fullmatch(name)]:
        raise InvalidInput(
            f"{where}: '{unnamed[0]}' is what pandas calls a column without a name; if it numbers the rows, leave it out"
        )
    if twice := [name for name in header if header.count(name) > 1]:
        raise InvalidInput(f"{where} names the column '{twice[0]}' twice")


def _number(path: Path, line: int, column: str, cell: str) -> float:
    value = float(cell) if _NUMBER.fullmatch(cell.strip(" \t")) else np.nan
    if not np.isfinite(value):
        wanted = "a finite number with a decimal point" if _DECIMAL_COMMA.fullmatch(cell.strip()) else "a finite number"
        raise InvalidInput(f"{path} line {line}, column '{column}' is '{cell}', but must be {wanted}")
    return value
