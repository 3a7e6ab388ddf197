"""Computation of the latest of many requests in a thread, while the page stays responsive."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from bokeh.document import Document, without_document_lock


class LatestOnly:
    """Computes the latest request in a thread and shows the result; requests that are superseded meanwhile are skipped.

    When the page's session is discarded, a result that is still being computed is dropped.

    Attributes:
        document: the page's.
        compute: function of a request, called in a thread.
        show: called with a request and its result, under the document's lock.
    """

    def __init__(self, document: Document, compute: Callable[[Any], Any], show: Callable[[Any, Any], None]) -> None:
        self._document, self._compute, self._show = document, compute, show
        self._wanted: Any = None
        self._done: Any = None
        self._running = False

    def want(self, question: Any) -> None:
        """Request a computation; `show(question, answer)` follows, unless a later request supersedes it."""
        self._wanted = question
        if not self._running and question != self._done:
            self._running = True
            unlocked = cast(Callable[[], None], without_document_lock(self._run))
            self._document.add_next_tick_callback(unlocked)

    async def _run(self) -> None:
        question = self._wanted
        try:
            answer = await asyncio.to_thread(self._compute, question)
        except BaseException:
            self._running = False
            raise
        if self._document.session_context is not None:  # a discarded session has none
            self._document.add_next_tick_callback(partial(self._finish, question, answer))

    def _finish(self, question: Any, answer: Any) -> None:
        """Show a result, under the document's lock, and continue with what was requested meanwhile."""
        try:
            self._show(question, answer)
        finally:
            self._done = question
            self._running = False
            self.want(self._wanted)
