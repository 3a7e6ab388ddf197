"""Extras of the package that install the libraries of some commands."""

_OF_COMMANDS = {
    "ecosystem": "data",
    "sweep": "sweeps",
    "plot": "figures",
    "predict": "figures",
    "figure": "figures",
    "estimate": "decide",
    "explore": "explore",
    "measure": "decide",
    "verify": "proofs",
    "verify_lemma1": "proofs",
    "lm": "lm",
}
"""Extra that the commands of a module need; a command with an attribute `extra` says it itself."""


def missing_extra(command: object, error: ModuleNotFoundError) -> str | None:
    """Sentence on the extra to install; None if the command needs none, or the missing module is part of crossfeed."""
    extra = getattr(command, "extra", _OF_COMMANDS.get(type(command).__module__.rpartition(".")[2]))
    library = (error.name or "").partition(".")[0]
    if extra is None or library in ("", "crossfeed"):
        return None
    return f"this command needs {library}, which is not installed: pip install 'crossfeed[{extra}]'"
