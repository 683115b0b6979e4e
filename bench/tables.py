"""Tables in Markdown, aligned so that they read well in a terminal too."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""Return the lines of a table; the first column is text, the others are numbers.

    >>> print("\n".join(markdown(["who", "ms"], [["ours", "5.1"], ["theirs", "70.0"]])))
    | who    |   ms |
    |:-------|-----:|
    | ours   |  5.1 |
    | theirs | 70.0 |
    """
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    first, *others = widths

    def line(cells: Sequence[str]) -> str:
        texts = [cells[0].ljust(first)]
        texts += [cell.rjust(width) for cell, width in zip(cells[1:], others, strict=True)]
        return f"| {' | '.join(texts)} |"

    rule = "|:" + "-" * (first + 1) + "|" + "".join("-" * (width + 1) + ":|" for width in others)
    return [line(heads), rule, *map(line, rows)]
