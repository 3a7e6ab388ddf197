"""Server of the page: one process, reachable from this machine only."""

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import jax
import numpy as np
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import Server

from crossfeed.errors import InvalidInput

from ...theory import PAPER, Workflow
from .family import TOPICS, Family, Setting
from .model import Diagram, Prediction, check_workflow, predict, scan_weights
from .page import Page


class Programs:
    """Functions of `figures.explore.model` for one workflow, compiled once for all settings, with results in NumPy.

    Attributes:
        family: the ecosystems that the sliders choose from.

    Raises:
        InvalidInput: `check_workflow` refuses the workflow.
    """

    def __init__(self, workflow: Workflow = PAPER, family: Family = TOPICS) -> None:
        check_workflow(workflow, family)
        self.family = family
        self._predict = jax.jit(lambda setting: predict(setting, workflow, family))
        self._scan = jax.jit(lambda setting: scan_weights(setting, workflow, family))

    def compile(self) -> Iterator[int]:
        """Compile all functions in parallel, and yield the number of finished ones."""
        with ThreadPoolExecutor() as threads:
            waiting = [threads.submit(program, self.family.start) for program in (self.predict, self.scan)]
            for done, one in enumerate(as_completed(waiting), 1):
                one.result()
                yield done

    def predict(self, setting: Setting) -> Prediction:
        """Exact results at one setting, as `model.predict`."""
        return jax.tree.map(np.asarray, self._predict(setting))

    def scan(self, setting: Setting) -> Diagram:
        """Phase diagram of a setting, as `model.scan_weights`."""
        return jax.tree.map(np.asarray, self._scan(setting))


def _page(programs: Programs) -> Callable[[Document], None]:
    """What fills the document of a new tab."""
    return lambda document: Page(document, programs.predict, programs.scan, programs.family).open()


def make_server(port: int, programs: Programs) -> Server:
    """Server of the page that listens on a port of this machine; `io_loop.start()` then serves.

    Args:
        port: from 0 to 65535; 0 chooses a free one.
        programs: compiled functions that all tabs share.

    Raises:
        InvalidInput: the port is out of range, in use, or not permitted.
    """
    if not 0 <= port <= 65535:
        raise InvalidInput(f"port is {port}, but must lie in 0..65535")
    application = Application(FunctionHandler(_page(programs)))
    try:
        return Server({"/": application}, port=port, address="127.0.0.1")
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror or error})"
        raise InvalidInput(f"port {port} {why}: choose another with --port, or 0 for a free one") from error
