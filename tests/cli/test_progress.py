"""What long work says where nothing can be drawn over."""

from crossfeed.cli.progress import progress_bar


def test_a_log_gets_a_line_now_and_then(capsys):
    with progress_bar("{task.fields[rate]}") as progress:
        start = progress.get_time()
        task = progress.add_task("points", rate="", total=1000)
        for seconds, done in ((1, 10), (31, 310), (40, 400), (62, 620)):
            progress.get_time = lambda now=start + seconds: now
            progress.update(task, completed=done, rate="10 a second")
    lines = capsys.readouterr().err.split("\n")
    assert [line.split(", ")[:2] for line in lines if line] == [
        ["points: 310 of 1,000", "10 a second"],
        ["points: 620 of 1,000", "10 a second"],
    ]
