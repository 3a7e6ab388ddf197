"""Answering the newest of many questions while the page goes on."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from bokeh.document import Document, without_document_lock


class Newest:
    """Computes in a thread what was last asked for, then shows it; what is overtaken while it waits is never computed.

    When the page's session is discarded, nothing waits for it: an answer that is on its way is dropped.
    """

    def __init__(self, document: Document, compute: Callable[[Any], Any], show: Callable[[Any, Any], None]):
        self._document, self._compute, self._show = document, compute, show
        self._wanted: Any = None
        self._done: Any = None
        self._running = False

    def want(self, question: Any) -> None:
        """Ask; `show(question, answer)` follows, unless another question does before."""
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
        """Show an answer, under the document's lock, and go on with what was asked meanwhile."""
        try:
            self._show(question, answer)
        finally:
            self._done = question
            self._running = False
            self.want(self._wanted)
