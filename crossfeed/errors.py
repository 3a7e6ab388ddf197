"""What can go wrong, as one sentence each: the messages name the field and the value."""

from collections.abc import Iterator
from contextlib import contextmanager


class CrossfeedError(ValueError):
    """Base of every error a user can cause or that the theory demands."""


class InvalidInput(CrossfeedError):
    """An input field holds a value outside its domain."""


class NoLimit(CrossfeedError):
    """The workflow has no limit law: the spectral radius of Q is at least one."""


class DependsOnTheta(CrossfeedError):
    """An estimate is biased, so its error depends on a true parameter that was not given."""


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Say which field bad input came from, where what refuses it cannot know."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{field}: {error}") from error
