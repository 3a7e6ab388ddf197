"""Two-step word problems in the style of GSM8K: the worked steps, then '#### N'."""

from collections.abc import Callable

import numpy as np

from .tasks import Example, question

_words = str.split
_NAMES = _words("Ada Ben Cleo Dan Eva Finn Gina Hugo Iris Jack Kira Liam Mona Noah Olga Paul Rosa Sam Tina Victor")
_GOODS = _words("apples pens books cups hats cakes tickets stamps lamps plants balls shirts")
_TREATS = _words("cookies sweets grapes nuts cherries marbles stickers beads")

Maker = Callable[[np.random.Generator], Example]


def _worked(asked: str, steps: tuple[str, str], answer: int) -> Example:
    return question(asked, f"{steps[0]}\n{steps[1]}\n#### {answer}")


def _shopping(random: np.random.Generator) -> Example:
    name, goods = random.choice(_NAMES), random.choice(_GOODS)
    count, price, left = (int(random.integers(*span)) for span in ((2, 13), (2, 10), (1, 30)))
    cost, paid = count * price, count * price + left
    return _worked(
        f"{name} buys {count} {goods} for ${price} each and pays with ${paid}. How many dollars does {name} get back?",
        (f"The {goods} cost {count} * {price} = ${cost}.", f"{name} gets back {paid} - {cost} = ${left}."),
        left,
    )


def _sharing(random: np.random.Generator) -> Example:
    name, treats = random.choice(_NAMES), random.choice(_TREATS)
    friends, each, eaten = (int(random.integers(*span)) for span in ((2, 10), (2, 13), (1, 20)))
    rest, start = friends * each, friends * each + eaten
    return _worked(
        f"{name} has {start} {treats}, keeps {eaten} and shares the rest equally among {friends} friends. "
        f"How many {treats} does each friend get?",
        (
            f"There are {start} - {eaten} = {rest} {treats} left.",
            f"Each friend gets {rest} / {friends} = {each} {treats}.",
        ),
        each,
    )


def _travel(random: np.random.Generator) -> Example:
    name = random.choice(_NAMES)
    speed, hours, more = (int(random.integers(*span)) for span in ((3, 13), (2, 10), (1, 30)))
    way = speed * hours
    return _worked(
        f"{name} cycles {speed} miles an hour for {hours} hours and then walks {more} miles. "
        f"How many miles does {name} travel in all?",
        (f"{name} cycles {speed} * {hours} = {way} miles.", f"In all that makes {way} + {more} = {way + more} miles."),
        way + more,
    )


def _work(random: np.random.Generator) -> Example:
    name = random.choice(_NAMES)
    wage, hours, days = (int(random.integers(*span)) for span in ((5, 13), (2, 9), (2, 7)))
    return _worked(
        f"{name} earns ${wage} an hour and works {hours} hours a day. How many dollars does {name} earn in {days} days?",
        (
            f"In a day {name} earns {wage} * {hours} = ${wage * hours}.",
            f"In {days} days that makes {wage * hours} * {days} = ${wage * hours * days}.",
        ),
        wage * hours * days,
    )


def _saving(random: np.random.Generator) -> Example:
    name, goods = random.choice(_NAMES), random.choice(_GOODS)
    start, weekly, weeks = (int(random.integers(*span)) for span in ((2, 40), (2, 13), (2, 13)))
    saved = weekly * weeks
    return _worked(
        f"{name} has ${start} and saves ${weekly} every week for {goods}. How many dollars does {name} have after {weeks} weeks?",
        (f"{name} saves {weekly} * {weeks} = ${saved}.", f"That makes {start} + {saved} = ${start + saved}."),
        start + saved,
    )


ARITHMETIC: dict[str, Maker] = {
    "shopping": _shopping,
    "sharing": _sharing,
    "travel": _travel,
    "work": _work,
    "saving": _saving,
}
