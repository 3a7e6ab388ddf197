"""Exceptions that crossfeed raises on purpose. Each message is one sentence that names the field and the value."""

import unicodedata
from collections.abc import Generator
from contextlib import contextmanager

_LONGEST_WORD = 160  # room for the path of a file
_LONGEST_MESSAGE = 300
_LONGEST_REASON = 200
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


class CrossfeedError(ValueError):
    """Base class of all exceptions that crossfeed raises on purpose.

    Raised itself where neither the input nor a missing limit is to blame, such as for data that are too ill-conditioned
    for float64. Its message is one sentence, fit to be shown to a user as it is: whatever it quotes is shortened in the
    middle, and control characters are escaped.

    Args:
        message: the sentence.

    Example:
        >>> from crossfeed import CrossfeedError, InvalidInput
        >>> issubclass(InvalidInput, CrossfeedError), issubclass(CrossfeedError, ValueError)
        (True, True)
        >>> print(InvalidInput("kind is 'a\\nb', but must be 'replace'"))
        kind is 'a\\nb', but must be 'replace'
    """

    def __init__(self, message: str = ""):
        super().__init__(one_line(message))


class InvalidInput(CrossfeedError):
    """Exception for an input whose value lies outside its domain, or a file that cannot be read or written.

    Example:
        >>> from crossfeed import InvalidInput, Weights
        >>> try:
        ...     Weights(alpha=1.5, beta=0.5)
        ... except InvalidInput as error:
        ...     print(error)
        alpha is 1.5, but must lie in [0, 1]
    """


class NoLimit(CrossfeedError):
    """Exception for a workflow whose estimates have no limit law, because the spectral radius of Q is at least one.

    Example:
        >>> from crossfeed import NoLimit, Weights, limit, worst_case
        >>> try:
        ...     limit(worst_case(4, 1.0), Weights(0.5, 1.0))
        ... except NoLimit as error:
        ...     print(error)
        there is no limit: the spectral radius is 1.25, and a limit needs a value below 1
    """


class DependsOnTheta(CrossfeedError):
    """Exception for a biased estimate, whose error depends on a true parameter that was not given.

    Example:
        One sample per entity and one public sample leave a direction of three unseen.

        >>> import numpy as np
        >>> from crossfeed import DependsOnTheta, Weights, ecosystem_from_features, limit, mse, stack_features
        >>> row = np.eye(3)
        >>> law = limit(ecosystem_from_features(stack_features([row[:1], row[:1]], row[1:2])), Weights(0.5, 0.5))
        >>> try:
        ...     mse(law)
        ... except DependsOnTheta as error:
        ...     print(error)
        the estimate of entity 0 is biased, so its error depends on theta, which is not given
    """


@contextmanager
def naming(field: str) -> Generator[None]:
    """Context manager that puts the name of a field in front of the message of any `InvalidInput` raised inside it.

    For checks that are shared by several fields and cannot know which of them they look at.

    Args:
        field: name of the field as the user knows it.

    Raises:
        InvalidInput: the one raised inside, with the longer message.

    Example:
        >>> from crossfeed.errors import InvalidInput, naming
        >>> try:
        ...     with naming("public.text"):
        ...         raise InvalidInput("the file is empty")
        ... except InvalidInput as error:
        ...     print(error)
        public.text: the file is empty
    """
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{field}: {error}") from error


def one_line(text: str) -> str:
    """Text with control characters escaped, and with long words and long texts shortened in the middle.

    Args:
        text: any text, such as a message that quotes a value of a file.

    Returns:
        At most 300 characters.

    Example:
        >>> from crossfeed.errors import one_line
        >>> one_line("two\\nlines")
        'two\\\\nlines'
        >>> len(one_line(1000 * "word "))
        300
    """
    odd = {letter for letter in set(text) if unicodedata.category(letter) in _UNPRINTABLE}
    escaped = text.translate({ord(letter): letter.encode("unicode_escape").decode() for letter in odd})
    return _shortened(" ".join(_shortened(word, _LONGEST_WORD) for word in escaped.split(" ")), _LONGEST_MESSAGE)


def reason_of(error: BaseException) -> str:
    """What an error of another library says, on one line and short enough to be part of a sentence.

    Args:
        error: the error.

    Example:
        >>> from crossfeed.errors import reason_of
        >>> reason_of(OSError("no\\n   such host"))
        'no such host'
    """
    return " ".join(str(error).split())[:_LONGEST_REASON]


def _shortened(text: str, most: int) -> str:
    """Text whose middle is left out if it is longer than `most` characters; the end says what is wrong."""
    if len(text) <= most:
        return text
    end = most // 2 - 1
    return f"{text[: most - end - 1]}…{text[-end:]}"
