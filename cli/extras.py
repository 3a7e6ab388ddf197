"""Commands need libraries beyond the core, which the package's extras install."""

_OF_COMMANDS = {
    "ecosystem": "data",
    "sweep": "sweeps",
    "plot": "figures",
    "predict": "figures",
    "reproduce": "figures",
    "explore": "explore",
    "verify": "proofs",
    "verify_lemma1": "proofs",
    "lm": "lm",
}
"""The extra that the commands of a module need."""


def missing_extra(command: object, error: ModuleNotFoundError) -> str | None:
    """Which extra to install, in one sentence; None if the module that is missing is our own, or the command needs no extra."""
    extra = _OF_COMMANDS.get(type(command).__module__.rpartition(".")[2])
    library = (error.name or "").partition(".")[0]
    if extra is None or library in ("", "crossfeed"):
        return None
    return f"this command needs {library}, which is not installed: pip install 'crossfeed[{extra}]'"
