"""Tasks from tables and from files: duplicates, answers, layouts, and mistakes named with file and line."""

import json
import sys
from types import SimpleNamespace

import pytest
from crossfeed.sim.lm import parse_study
from crossfeed.sim.lm.data.builtin_tasks import BUILTIN_TASKS, builtin_task
from crossfeed.sim.lm.data.public_text import python_documentation
from crossfeed.sim.lm.data.task_files import hub_examples, read_documents, read_examples
from crossfeed.sim.lm.data.tasks import Example, Task, answers_exactly, question, unique_names, without_duplicates
from crossfeed.sim.lm.study.corpus import read_material
from hypothesis import given
from hypothesis import strategies as st

from crossfeed.errors import InvalidInput


@pytest.mark.parametrize("name", BUILTIN_TASKS)
def test_builtin_tasks_hold_out_their_tests_and_repeat(name):
    task = builtin_task(name, train=150)
    assert len(task.test) == 200
    assert len(task.train) == 150
    prompts = [example.prompt for example in task.train + task.test]
    assert len(set(prompts)) == len(prompts)
    assert task == builtin_task(name, train=150)


def test_arithmetic_is_right():
    for example in builtin_task("arithmetic", train=200).train:
        *steps, last = example.completion.split("\n")
        result = None
        for step in steps:
            left, right = step.rstrip(".").split(" = ")
            terms = left.split()[-3:]
            result = int(right.strip("$").split()[0].rstrip("."))
            assert eval(" ".join(terms).replace("$", "")) == result
        assert last == f"#### {result}"


def test_public_text_is_there_and_repeats():
    documents = python_documentation()
    assert sum(map(len, documents)) > 300_000
    assert documents == python_documentation()


@pytest.mark.parametrize(
    ("completion", "reference", "right"),
    [
        (" so 3 + 4 = 7.\n#### 1,007", " work\n#### 1007", True),
        ("#### 8", "#### 7", False),
        (" 7", "#### 7", False),
        (" The Oxidants.\nand more", " oxidants", True),
        (" oxidant", " oxidants", False),
        ("", " a", False),
        (" A", " A", True),
        (" The cat .", " cat", True),
        (" a cat on the mat", " cat on mat", True),
    ],
)
def test_exact_answers(completion, reference, right):
    assert answers_exactly(completion, reference) is right


def example(prompt: str) -> Example:
    return Example(prompt, " x")


def test_duplicates_go_within_and_between_tasks():
    first = Task("one", (example("a"), example("A "), example("b"), example("t2")), (example("t1"), example("t1")))
    second = Task("two", (example("c"), example("t1")), (example("t2"),))
    one, two = without_duplicates([first, second])
    assert [e.prompt for e in one.train] == ["a", "b"]
    assert [e.prompt for e in two.train] == ["c"]
    assert [e.prompt for e in one.test] == ["t1"]


def test_a_task_that_is_all_duplicates_is_refused():
    with pytest.raises(InvalidInput, match="task one has no train examples left"):
        without_duplicates([Task("one", (example("a"),), (example("a"),))])


LAYOUTS = {
    "GSM8K": ({"question": "Q", "answer": "2*3=<<2*3=6>>6\n#### 6"}, question("Q", "2*3=6\n#### 6")),
    "SciQ": ({"question": "Q", "answer": "clone"}, question("Q", "clone")),
    "SciQ in full": (
        {"question": "Q", "distractor1": "x", "correct_answer": "clone", "support": "s"},
        question("Q", "clone"),
    ),
    "ARC": (
        {
            "question": {"stem": "Q", "choices": 0},
            "choices": {"label": ["A", "B"], "text": ["x", "y"]},
            "answerKey": "B",
        },
        question("Q (A) x (B) y", "y"),
    ),
    "ARC as a list": (
        {"question": "Q", "choices": [{"label": "1", "text": "x"}, {"label": "2", "text": "y"}], "answerKey": "1"},
        question("Q (1) x (2) y", "x"),
    ),
    "ARC as published": (
        {
            "id": "x",
            "question": {"stem": "Q", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]},
            "answerKey": "B",
        },
        question("Q (A) x (B) y", "y"),
    ),
    "ARC with numbers": (
        {"question": "Q", "choices": {"label": ["1", 2], "text": ["x", 7]}, "answerKey": 2},
        question("Q (1) x (2) 7", "7"),
    ),
    "MMLU": ({"question": "Q", "subject": "s", "choices": ["x", "y"], "answer": 1}, question("Q (A) x (B) y", "y")),
    "MMLU with a letter": ({"question": "Q", "choices": ["x", "y"], "answer": "A"}, question("Q (A) x (B) y", "x")),
    "a number": ({"question": "Q", "answer": 4}, question("Q", "4")),
    "a fraction": ({"question": "Q", "answer": 2.5}, question("Q", "2.5")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, tmp_path):
    record, expected = LAYOUTS[layout]
    path = tmp_path / "task.jsonl"
    path.write_text(json.dumps(record) + "\n\n" + json.dumps(record) + "\n")
    assert read_examples(path) == (expected, expected)


GOOD = json.dumps(LAYOUTS["SciQ"][0]) + "\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (GOOD + "{oops\n", "line 2 is not JSON"),
        (GOOD + '{"question": "Q"}\n', "line 2 has no text in 'answer'"),
        (GOOD + '{"question": 3, "answer": "x"}\n', "line 2 has no text in 'question'"),
        (GOOD + "[1]\n", "line 2 is not an object"),
        (GOOD + '{"question": "Q\\ud83d", "answer": "x"}\n', r"line 2 holds \\ud83d, an unpaired surrogate"),
        (GOOD + '{"question": "Q", "choices": [], "answerKey": "A"}\n', "line 2 is not an ARC record"),
        (GOOD + '{"question": "Q", "answer": "<<2+2=4>>"}\n', "line 2 has no text in 'answer'"),
        (GOOD + '{"question": "Q", "answer": true}\n', "line 2 has no text in 'answer'"),
        (GOOD + '{"question": "Q", "answer": NaN}\n', "line 2 has no text in 'answer'"),
        (
            GOOD + '{"question": "Q", "choices": {"text": [" ", "b"], "label": ["A", "B"]}, "answerKey": "A"}\n',
            "line 2 is not an ARC record: the right choice is empty",
        ),
        (
            GOOD + '{"question": "Q", "choices": {"text": ["a", "b"], "label": ["A", "A"]}, "answerKey": "A"}\n',
            "line 2 is not an ARC record: two choices have one label",
        ),
        (GOOD + '{"question": "Q", "choices": ["a", "b"], "answer": 2}\n', "line 2 is not an ARC record: question, ch"),
        (GOOD + '{"question": "Q", "choices": ["a", "b"], "answer": -1}\n', "line 2 is not an ARC record"),
        (GOOD + '{"question": {"stem": 1, "choices": ["a"]}, "answer": 0}\n', "line 2 is not an ARC record"),
        (GOOD + '{"question": {"choices": ["a"]}, "answer": 0}\n', "line 2 is not an ARC record"),
        ("\n", "is empty"),
        (GOOD.encode() + b"\xff\n", "line 2 is not UTF-8 text: byte 0xff"),
    ],
)
def test_mistakes_in_files_are_named_with_their_line(content, says, tmp_path):
    path = tmp_path / "task.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=says) as caught:
        read_examples(path)
    assert str(path) in str(caught.value)


@given(st.lists(st.sampled_from(["a", "a 1", "a 2", "a 2 1", "public"]), max_size=6))
def test_tasks_of_one_name_get_different_ones(names):
    made = unique_names(names)
    assert len({*made, "public"}) == len(names) + 1
    assert all(new.startswith(name) for new, name in zip(made, names, strict=True))


def test_one_example_is_too_few_where_some_are_held_out(tmp_path):
    (tmp_path / "task.jsonl").write_text(GOOD)
    study = parse_study(f'[study]\nalpha = [0]\nbeta = [0]\n[[entity]]\ntask = "{tmp_path}/task.jsonl"')
    with pytest.raises(InvalidInput, match=r"task.jsonl has 1 example, but without a file of tests it needs 2 or more"):
        read_material(study)


def test_a_task_has_the_tests_of_its_file_or_every_tenth_example(tmp_path):
    for name, numbers in (("train", range(20)), ("test", range(20, 23))):
        lines = (json.dumps({"question": f"{n}?", "answer": f"{n}"}) for n in numbers)
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "public.txt").write_text("some text " * 99)
    text = '[study]\nalpha = [0]\nbeta = [1]\n[public]\ntext = "public.txt"\n[[entity]]\ntask = "train.jsonl"\n'
    examples, tests = (read_examples(tmp_path / f"{name}.jsonl") for name in ("train", "test"))
    (given,) = read_material(parse_study(f'{text}test = "test.jsonl"\n', folder=tmp_path)).tasks
    assert (given.train, given.test) == (examples, tests)
    (held_out,) = read_material(parse_study(text, folder=tmp_path)).tasks
    assert held_out.test == (examples[0], examples[10])
    assert {*held_out.train} == {*examples} - {*held_out.test}


def test_public_documents_that_repeat_are_read_once(tmp_path):
    for number in range(120):
        (tmp_path / f"{number}.txt").write_text(f"document {number % 110}")
    study = parse_study(
        f'[study]\nalpha = [0]\nbeta = [0]\n[[entity]]\ntask = "science"\n[public]\ntext = "{tmp_path}"'
    )
    material = read_material(study)
    assert sorted(material.public + material.public_test) == sorted(f"document {number}" for number in range(110))


def test_the_end_of_a_public_document_is_held_out(tmp_path):
    (tmp_path / "one.txt").write_text("".join(f"word {number} " for number in range(200)))
    study = parse_study(
        f'[study]\nalpha = [0]\nbeta = [0]\n[[entity]]\ntask = "science"\n[public]\ntext = "{tmp_path}/one.txt"'
    )
    material = read_material(study)
    ((start,), (end,)) = material.public, material.public_test
    assert start + end == (tmp_path / "one.txt").read_text()
    assert len(start) == pytest.approx(19 * len(end), rel=0.02)


def test_public_text_from_a_folder(tmp_path):
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "c.md").write_text("third")
    (tmp_path / "d.pdf").write_text("none")
    assert read_documents(tmp_path) == ["first", "second"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "c.md").rename(tmp_path / "notes" / "c.md")
    assert read_documents(tmp_path / "notes") == ["third"]
    assert read_documents(tmp_path / "notes" / "c.md") == ["third"]
    with pytest.raises(InvalidInput, match=r"neither a folder nor a file ending in \.txt or \.md"):
        read_documents(tmp_path / "d.pdf")
    with pytest.raises(InvalidInput, match="holds no file ending"):
        read_documents((tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_a_name_needs_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    with pytest.raises(
        InvalidInput, match="'owner/name' is neither a file nor built in, and to load it by name the library 'datasets'"
    ):
        hub_examples("owner/name", "train")


def test_a_network_that_fails_among_the_records_is_one_sentence(monkeypatch):
    def records():
        yield {"question": "1 + 1?", "answer": "2"}
        raise ConnectionError("the hub\nis gone")

    library = SimpleNamespace(load_dataset=lambda *names, **options: records())
    monkeypatch.setitem(sys.modules, "datasets", library)
    with pytest.raises(InvalidInput, match="cannot load the data set 'owner/name': the hub is gone"):
        hub_examples("owner/name", "train")
