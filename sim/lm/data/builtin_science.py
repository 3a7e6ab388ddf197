"""Science questions generated from small tables of facts; answers are words of the question or of the tables."""

from collections.abc import Callable, Sequence

import numpy as np

from .tasks import Example, question

_words = str.split
_ELEMENTS = _words(
    "hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminium silicon "
    "phosphorus sulfur chlorine argon potassium calcium scandium titanium vanadium chromium manganese iron cobalt nickel "
    "copper zinc gallium germanium arsenic selenium bromine krypton"
)
"""Chemical elements by atomic number, from 1."""
_SYMBOLS = _words("H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr")
_PLANETS = _words("Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune")
_RADII = (2440, 6052, 6371, 3390, 69911, 58232, 25362, 24622)  # km, mean
_ANIMALS = {
    "mammal": _words("whale bat horse mouse otter camel rabbit seal wolf deer"),
    "bird": _words("eagle owl penguin sparrow ostrich heron parrot swan crow duck"),
    "reptile": _words("lizard tortoise crocodile gecko viper iguana cobra turtle chameleon python"),
    "fish": _words("trout salmon shark tuna herring eel cod carp pike ray"),
    "insect": _words("ant beetle bee moth wasp cricket termite dragonfly mosquito butterfly"),
}
_COVERED = {
    "mammal": "fur",
    "bird": "feathers",
    "reptile": "dry scales",
    "fish": "wet scales",
    "insect": "a hard shell",
}
_MELTS_BOILS = {  # degrees Celsius at sea level
    "water": (0, 100),
    "mercury": (-39, 357),
    "ethanol": (-114, 78),
    "nitrogen": (-210, -196),
    "oxygen": (-219, -183),
    "lead": (327, 1749),
    "iron": (1538, 2862),
    "gold": (1064, 2856),
    "tin": (232, 2602),
    "bromine": (-7, 59),
}
_UNITS = {
    "longer": (("millimeters", 0.001), ("centimeters", 0.01), ("metres", 1.0), ("kilometers", 1000.0)),
    "heavier": (("milligrams", 0.001), ("grams", 1.0), ("kilograms", 1000.0), ("tonnes", 1e6)),
    "more time": (("seconds", 1.0), ("minutes", 60.0), ("hours", 3600.0), ("days", 86400.0)),
}

Maker = Callable[[np.random.Generator], Example]


def _pick(random: np.random.Generator, values: Sequence[str], count: int) -> list[str]:
    return [values[int(i)] for i in random.permutation(len(values))[:count]]


def _chemistry(random: np.random.Generator) -> Example:
    first, second = random.permutation(len(_ELEMENTS))[:2]
    form = random.integers(10)
    if form == 0:
        return question(f"What is the chemical symbol of {_ELEMENTS[first]}?", _SYMBOLS[first])
    if form == 1:
        return question(f"Which element has the chemical symbol {_SYMBOLS[first]}?", _ELEMENTS[first])
    heavier = random.integers(2)
    answer = _ELEMENTS[max(first, second) if heavier else min(first, second)]
    which = "more" if heavier else "fewer"
    return question(f"Which atom has {which} protons, {_ELEMENTS[first]} or {_ELEMENTS[second]}?", answer)


def _astronomy(random: np.random.Generator) -> Example:
    planets = random.permutation(len(_PLANETS))[: random.integers(2, 5)]
    key, which = (
        (lambda i: i, "closest to the Sun"),
        (lambda i: -i, "farthest from the Sun"),
        (lambda i: -_RADII[i], "the largest"),
        (lambda i: _RADII[i], "the smallest"),
    )[random.integers(4)]
    names = [_PLANETS[i] for i in planets]
    return question(
        f"Which planet is {which}: {', '.join(names[:-1])} or {names[-1]}?", _PLANETS[min(planets, key=key)]
    )


def _biology(random: np.random.Generator) -> Example:
    classes = _pick(random, list(_ANIMALS), 3)
    animals = [str(random.choice(_ANIMALS[name])) for name in classes]
    asked = random.integers(3)
    shown = f"{animals[0]}, {animals[1]} or {animals[2]}"
    if random.integers(2):
        return question(f"Which of these animals is a kind of {classes[asked]}: {shown}?", animals[asked])
    return question(f"Which of these animals is covered with {_COVERED[classes[asked]]}: {shown}?", animals[asked])


def _matter(random: np.random.Generator) -> Example:
    name = str(random.choice(list(_MELTS_BOILS)))
    melts, boils = _MELTS_BOILS[name]
    around = (melts, boils)[random.integers(2)]
    degrees = around + int(random.integers(-200, 200))
    state = "solid" if degrees < melts else "liquid" if degrees < boils else "gas"
    return question(f"In which state is {name} at {max(degrees, -273)} degrees Celsius?", state)


def _units(random: np.random.Generator) -> Example:
    which = str(random.choice(list(_UNITS)))
    (small, little), (large, much) = _UNITS[which][(unit := random.integers(3)) : unit + 2]
    few = int(random.integers(2, 20))
    many = max(1, round(few * much / little * random.choice([0.4, 0.6, 0.8, 1.25, 1.5, 2.5])))
    left, right = f"{few} {large}", f"{many} {small}"
    answer = left if few * much > many * little else right
    if random.integers(2):
        left, right = right, left
    return question(f"Which is {which}: {left} or {right}?", answer)


SCIENCE: dict[str, Maker] = {
    "chemistry": _chemistry,
    "astronomy": _astronomy,
    "biology": _biology,
    "matter": _matter,
    "units": _units,
}
