"""Answering the newest of many questions while the page goes on."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from bokeh.document import Document, without_document_lock


class Newest:
    """Computes in a thread what was last asked for, then shows it; what is overtaken while it waits is never computed."""

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
        try:
            while self._wanted != self._done:
                question = self._wanted
                await self._answered(question, await asyncio.to_thread(self._compute, question))
                self._done = question
        finally:
            self._running = False

    def _answered(self, question: Any, answer: Any) -> asyncio.Future[None]:
        """Show an answer under the document's lock; done when it is shown."""
        shown = asyncio.get_running_loop().create_future()

        def show():
            try:
                self._show(question, answer)
            finally:
                shown.set_result(None)

        self._document.add_next_tick_callback(show)
        return shown
