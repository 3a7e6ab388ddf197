"""Requests of a page: only the latest is answered, and a discarded page waits for nothing."""

import asyncio
import threading

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.core.types import ID
from bokeh.server.contexts import ApplicationContext
from crossfeed.figures.explore.latest_only import LatestOnly
from tornado.ioloop import IOLoop


class Page:
    """A page whose answers wait until they are let go; those asked for and those shown are kept."""

    def __init__(self, document):
        self.latest = LatestOnly(document, self.compute, lambda question, answer: self.shown.append((question, answer)))
        self.computed, self.shown = [], []
        self.may_go = threading.Event()

    def compute(self, question: int) -> int:
        self.computed.append(question)
        assert self.may_go.wait(30)
        if question < 0:
            raise ArithmeticError("a question without an answer")
        return 10 * question


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def opened():
    """An application with one session, as a server makes it, and its page; the page's session lives as long as both."""
    pages = []
    application = Application(FunctionHandler(lambda document: pages.append(Page(document))))
    context = ApplicationContext(application, io_loop=IOLoop.current())
    await context.create_session_if_needed(ID("tab"))
    return context, pages[0]


def test_what_is_overtaken_is_never_computed():
    async def scenario():
        _application, page = await opened()
        page.latest.want(1)
        await until(lambda: page.computed)
        for question in (2, 3, 4):
            page.latest.want(question)
        page.may_go.set()
        await until(lambda: len(page.shown) == 2)
        page.latest.want(4)  # is there already
        page.latest.want(5)
        await until(lambda: len(page.shown) == 3)
        return page

    page = asyncio.run(scenario())
    assert page.computed == [1, 4, 5]
    assert page.shown == [(1, 10), (4, 40), (5, 50)]


def test_a_question_that_fails_does_not_silence_the_next(caplog):
    async def scenario():
        _application, page = await opened()
        page.may_go.set()
        page.latest.want(-1)
        await until(lambda: "a question without an answer" in caplog.text)
        page.latest.want(2)
        await until(lambda: page.shown)
        return page.shown

    assert asyncio.run(scenario()) == [(2, 20)]


def test_a_discarded_page_drops_its_answer_without_a_word(caplog):
    async def scenario():
        application, page = await opened()
        page.latest.want(1)
        await until(lambda: page.computed)
        application.get_session(ID("tab")).destroy()
        page.may_go.set()
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        return page.shown

    assert asyncio.run(scenario()) == []
    assert caplog.text == ""
