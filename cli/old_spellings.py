"""Spellings of commands before version 0.2, which still work, with a hint on stderr."""

import sys
from collections.abc import Sequence

_HELP = ("-h", "--help")
_OF_LEMMA1 = (*_HELP, "--trials", "--entities-max", "--features-max", "--seed")


def current_spelling(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in the current spelling.

    Args:
        arguments: those after the program's name, in either spelling.
    """
    command, rest = arguments[:1], list(arguments[1:])
    if command == ["sweep"] and rest and rest[0] not in _HELP and not rest[0].isalpha():  # a file's name, or an option
        return _hinted("sweep", "run", rest)
    if command == ["verify"] and (not rest or rest[0] not in ("ledger", "lemma1", *_HELP)):
        return _hinted("verify", "ledger", rest)
    if command == ["verify"] and rest[0] == "lemma1" and not any(one.split("=")[0] in _OF_LEMMA1 for one in rest):
        return _hinted("verify", "ledger", rest)  # claims whose ids begin with "lemma1"
    return list(arguments)


def _hinted(command: str, subcommand: str, rest: list[str]) -> list[str]:
    print(f"note: `crossfeed {command} …` is now `crossfeed {command} {subcommand} …`", file=sys.stderr)
    return [command, subcommand, *rest]
