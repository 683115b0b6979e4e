"""Turn: where boxes and landmarks are once a photo's orientation was changed.

Another program turns a photo by writing another number from 1 to 8 into it. Its pixels stay as
they are, so what was found in it is still right, only elsewhere in the upright picture.
"""

from __future__ import annotations

from collections.abc import Sequence

from lookwho.core.orientation import Box, one_after_the_other, upright_box, upright_point

# One that mirrors, and so exchanges left and right.
_MIRRORS = frozenset({2, 4, 5, 7})
# What undoes it; every other one undoes itself.
_UNDOES = {6: 8, 8: 6}


def turn_between(before: int, after: int) -> int:
    """Return the orientation that carries the picture upright by `before` to that by `after`.

    >>> turn_between(1, 6), turn_between(6, 1), turn_between(3, 3)
    (6, 8, 1)
    """
    return one_after_the_other(_UNDOES.get(before, before), after)


def turned_box(box: Box, turn: int) -> Box:
    """Return where a box x1, y1, x2, y2 of fractions is afterwards."""
    return upright_box(box, turn)


def turned_landmarks(points: Sequence[Sequence[float]], turn: int) -> list[list[float]]:
    """Return where five landmarks of fractions x, y are afterwards, or none where there are none.

    They are told as seen in the image, so in a mirror the left eye is what the right one was.

    >>> turned_landmarks([[0.25, 0.5], [0.5, 0.5], [0.375, 0.625], [0.25, 0.75], [0.5, 0.75]], 2)
    [[0.5, 0.5], [0.75, 0.5], [0.625, 0.625], [0.5, 0.75], [0.75, 0.75]]
    """
    turned = [list(upright_point(x, y, turn)) for x, y in points]
    if turn in _MIRRORS and turned:
        left, right, nose, corner, other = turned
        turned = [right, left, nose, other, corner]
    return turned
