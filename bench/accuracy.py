"""Accuracy on a folder for each person, and of detection on photos of crowds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bench import calibration, crowds, grouping, people, tables, verification
from bench.measure import REFERENCES
from bench.people import BoolArray, People
from bench.rival_environment import NoRival
from bench.sides import Side
from bench.ways import Grouper, average
from lookwho.core.group import group
from lookwho.core.match import SAME, Query, log_likelihood_ratio
from lookwho.core.types import DoubleArray, IntArray
from lookwho.core.vectors import unit

# What each way of grouping is tuned over, Euclidean distances.
_WHISPERS_RAW = (0.38, 0.40, 0.42, 0.44, 0.46, 0.48, 0.50)
_WHISPERS_UNIT = (0.26, 0.28, 0.30, 0.32, 0.34, 0.36)
# And 1 - cosine.
_LINKAGE = (0.054, 0.058, 0.062, 0.066, 0.070, 0.074, 0.078)
# A face that is not at all taken for the person is no test of a probability.
_CONSIDERED = 0.01


def report(faces: Path, crowd: Path | None, *, quick: bool = False) -> Iterator[str]:
    """Yield the lines of all tables.

    Args:
        faces: a folder for each person.
        crowd: street photos with labelled boxes; None to leave them out.
        quick: fewer draws, and no comparison with dlib's detectors.
    """
    draws = 200 if quick else verification.DRAWS
    exact = people.read(faces)
    rounded = people.read(faces, int8=True)
    yield (
        f"{exact.photos} photos of {len(exact.names)} people, one folder each; {exact.split}. In "
        "brackets 95 % intervals by bootstrap over people, "
        f"{draws} draws."
    )
    yield from _heading("Photos with a face")
    yield from _found(faces, exact, quick)
    yield from _heading("Verification: TAR at FAR, %")
    yield (
        "All pairs; every method on the faces that Lookwho finds. Difference: points more than raw "
        "Euclidean at FAR 1e-3, on the same draws."
    )
    for name, chosen in _halves(exact):
        yield from ["", f"{name}:", ""]
        yield from _verified(exact.part(chosen), rounded.part(chosen), draws)
    yield from _heading("Quality")
    yield from _by_quality(exact)
    yield from _heading("Grouping with nothing known")
    yield (
        "Thresholds called best are so by B-cubed and pairwise F together on the people for "
        "calibration; the limits of lookwho.group were chosen on photos of the same collection."
    )
    yield from _grouped(exact, rounded, draws)
    yield from _heading("Probabilities of held-out people")
    yield from _calibrated(exact.part(exact.held_out))
    if crowd is not None:
        yield from _heading("Detection in crowds")
        yield from crowds.report(crowd, quick=quick)


def limits(faces: Path) -> Iterator[str]:
    """Yield what other limits of grouping would give, by the size of the library."""
    exact = people.read(faces)
    everyone = len(exact.names)
    grid = (0.050, *_LINKAGE, 0.082)
    generator = np.random.default_rng(1)
    rows: list[list[str]] = []
    for size in (everyone // 8, everyone // 4, everyone // 2, everyone):
        draws = 1 if size == everyone else 5
        parts: list[People] = []
        for _ in range(draws):
            chosen = np.zeros(everyone, bool)
            chosen[generator.permutation(everyone)[:size]] = True
            parts.append(exact.part(chosen))
        number = round(np.mean([len(part.owners) for part in parts]))
        for limit in (*grid, None):
            scores = np.mean(
                [_scores(part, group(part.embeddings, limit=limit)) for part in parts], 0
            )
            shown = "own" if limit is None else f"{limit:.3f}"
            rows.append([str(number), shown, *(f"{score:.3f}" for score in scores)])
    heads = ["faces", "limit", "B³ F", "B³ precision", "B³ recall", "pair F", "precision", "recall"]
    yield from tables.markdown(heads, rows)


def _heading(title: str) -> list[str]:
    return ["", f"### {title}", ""]


def _halves(faces: People) -> list[tuple[str, BoolArray]]:
    """Return who a table is about: all people, and either half."""
    return [
        ("All people", np.ones(len(faces.names), bool)),
        ("People for calibration", ~faces.held_out),
        ("Held-out people", faces.held_out),
    ]


def _found(folder: Path, balanced: People, quick: bool) -> list[str]:
    found = {"balanced": _counts(balanced)}
    note: list[str] = []
    if not quick:
        found["fast"] = _counts(people.read(folder, preset="fast"))
        try:
            with Side.theirs() as side:
                found["face_recognition (HOG)"] = _counts_of_rival(folder, balanced, side)
        except NoRival as error:
            note = ["", error.message]
    rows = [
        [name, str(a), str(b), f"{100 * b / a:.2f}", str(c), str(d), f"{100 * d / c:.2f}"]
        for name, (a, b, c, d) in found.items()
    ]
    heads = ["", "photos", "with a face", "%", "held-out photos", "with a face", "%"]
    return [*tables.markdown(heads, rows), *note]


def _counts(faces: People) -> tuple[int, int, int, int]:
    held_out = int(faces.held_out[faces.owners].sum())
    return faces.photos, len(faces.owners), faces.photos_held_out, held_out


def _counts_of_rival(folder: Path, faces: People, side: Side) -> tuple[int, int, int, int]:
    found, held_out = 0, 0
    for name, path in people.photos(folder):
        any_face = bool(len(side.locate(path).boxes))
        found += any_face
        held_out += any_face and bool(faces.held_out[faces.names.index(name)])
    return faces.photos, found, faces.photos_held_out, held_out


def _verified(exact: People, rounded: People, draws: int) -> list[str]:
    ways = [
        ("raw Euclidean, as face_recognition", exact, exact.encodings, True),
        ("cosine", exact, unit(exact.encodings), False),
        ("mean with mirror image, cosine", exact, exact.embeddings, False),
        ("the same in int8", rounded, rounded.embeddings, False),
    ]
    number = len(np.unique(exact.owners))
    once, drawn = np.ones(number, np.int64), verification.draw(number, draws)
    raw: list[DoubleArray] = []  # at FAR 1e-3: of the first way, once, and in the draws
    rows: list[list[str]] = []
    for name, part, vectors, euclidean in ways:
        pairs = verification.compare(vectors, part.owners, euclidean=euclidean)
        value = 100 * verification.rates(pairs, once)
        many = np.array([100 * verification.rates(pairs, counts) for counts in drawn])
        by_face = 100 * verification.rates(pairs, once, by_face=True)[1]
        span = verification.interval(many)
        cells = [f"{v:.1f} ({a:.1f}–{b:.1f})" for v, a, b in zip(value, *span, strict=True)]
        gain = ""
        if raw:
            a, b = verification.interval(many[:, 1] - raw[1])
            gain = f"{value[1] - raw[0]:+.1f} ({a:+.1f} to {b:+.1f})"
        else:
            raw = [value[1], many[:, 1]]
        rows.append([name, *cells, gain, f"{by_face:.1f}"])
    heads = ["", *(f"FAR {far:.0e}".replace("e-0", "e-") for far in verification.FARS)]
    return tables.markdown([*heads, "difference at 1e-3", "1e-3, every face once"], rows)


def _by_quality(faces: People) -> list[str]:
    middle = float(np.median(faces.quality))
    whole = verification.compare(faces.embeddings, faces.owners)
    everyone = np.ones(len(whole.sizes), np.int64)
    common = verification.limits(whole, everyone, (1e-3,))
    rows: list[list[str]] = []
    for name, chosen in (
        ("all faces", faces.quality >= 0),
        (f"better half (quality over {middle:.2f})", faces.quality > middle),
        ("worse half", faces.quality <= middle),
    ):
        pairs = verification.compare(faces.embeddings[chosen], faces.owners[chosen])
        once = np.ones(len(pairs.sizes), np.int64)
        drawn = verification.draw(len(once))
        tar = 100 * verification.accepted(pairs, once, common)[0]
        many = [100 * verification.accepted(pairs, counts, common)[0] for counts in drawn]
        a, b = verification.interval(np.array(many))
        total = (pairs.sizes.sum() ** 2 - (pairs.sizes**2).sum()) / 2
        far = float((pairs.near <= common[0]).sum() / total)
        own = 100 * verification.rates(pairs, once, (1e-3,))[0]
        rows.append([name, str(len(pairs.same)), f"{tar:.1f} ({a:.1f}–{b:.1f})", f"{far:.1e}",
                     f"{own:.1f}"])  # fmt: skip
    heads = ["both faces from", "true pairs", "TAR at the distance of FAR 1e-3 of all", "FAR there",
             "TAR at its own FAR 1e-3"]  # fmt: skip
    return tables.markdown(heads, rows)


def _grouped(exact: People, rounded: People, draws: int) -> Iterator[str]:
    tuning = exact.part(~exact.held_out)

    def best(ways: list[tuple[float, Grouper]]) -> tuple[float, Grouper]:
        return max(ways, key=lambda way: _quality_of(_scores(tuning, way[1](tuning))))

    raw, raw_best = best([(at, _whispers(at, raw=True)) for at in _WHISPERS_RAW])
    angle, angle_best = best([(at, _whispers(at)) for at in _WHISPERS_UNIT])
    mean, mean_best = best(list(zip(_LINKAGE, map(average, _LINKAGE), strict=True)))
    ways: list[tuple[str, People, Grouper]] = [
        ("Chinese whispers, raw Euclidean 0.5: dlib's example", exact, _whispers(0.5, raw=True)),
        (f"Chinese whispers, raw Euclidean {raw}: best", exact, raw_best),
        (f"Chinese whispers, embeddings {angle}: best", exact, angle_best),
        (f"average linkage, embeddings {mean}: best", exact, mean_best),
        ("lookwho.group", exact, _group),
        ("lookwho.group, int8", rounded, _group),
    ]
    heads = ["", "B³ F", "precision", "recall", "pair F", "precision", "recall", "groups"]
    everyone, _, held_out = _halves(exact)
    for name, chosen in (everyone, held_out):
        rows: list[list[str]] = []
        for title, faces, way in ways:
            part = faces.part(chosen)
            groups = way(part)
            agreement = grouping.Agreement.of(groups, part.owners)
            number = len(agreement.sizes)
            value = agreement.scores(np.ones(number, np.int64))
            drawn = verification.draw(number, draws)
            a, b = verification.interval(np.array([agreement.scores(one) for one in drawn]))
            cells = [f"{score:.3f}" for score in value]
            for place in (0, 3):
                cells[place] += f" ({a[place]:.3f}–{b[place]:.3f})"
            _, sizes = np.unique(groups[groups >= 0], return_counts=True)
            rows.append([title, *cells, str(int((sizes > 1).sum()))])
        yield from ["", f"{name}:", "", *tables.markdown(heads, rows)]


def _whispers(limit: float, *, raw: bool = False) -> Grouper:
    def whispers(faces: People) -> IntArray:
        return grouping.chinese_whispers(faces.encodings if raw else faces.embeddings, limit)

    return whispers


def _group(faces: People) -> IntArray:
    return group(faces.embeddings)


def _scores(faces: People, groups: IntArray) -> DoubleArray:
    agreement = grouping.Agreement.of(groups, faces.owners)
    return agreement.scores(np.ones(len(agreement.sizes), np.int64))


def _quality_of(scores: DoubleArray) -> float:
    return float(scores[0] + scores[3])


def _calibrated(faces: People) -> list[str]:
    rows: list[list[str]] = []
    for count in REFERENCES:
        found = calibration.trials(faces.embeddings, faces.owners, count)
        even = calibration.error_of(partial(log_likelihood_ratio, references=count), found)
        probabilities, truth = _sought(faces, count)
        said = probabilities >= SAME
        considered = probabilities >= _CONSIDERED
        error = calibration.calibration_error(probabilities[considered], truth[considered])
        rows.append([
            str(count), f"{even:.4f}", f"{error:.3f}",
            f"{100 * truth[said].mean():.1f}", f"{100 * probabilities[said].mean():.1f}",
            f"{100 * said[truth].mean():.1f}",
        ])  # fmt: skip
    heads = [
        "references", "ECE at even odds", "ECE as `find` runs", "matches that are right, %",
        "as its probabilities say, %", "faces of the person matched, %",
    ]  # fmt: skip
    return [
        "One reference at even odds is what `compare` does. As `find` runs: each person is sought "
        "among all held-out faces, at the share that it estimates; of its ECE only faces count "
        "that it gives 1 % or more.",
        "",
        *tables.markdown(heads, rows),
    ]


def _sought(faces: People, references: int) -> tuple[DoubleArray, BoolArray]:
    """Seek each person among all faces; return each one's probability, and whether it is theirs."""
    generator = np.random.default_rng(0)
    probabilities: list[DoubleArray] = []
    truth: list[BoolArray] = []
    people_there, counts = np.unique(faces.owners, return_counts=True)
    for person in people_there[counts > references]:
        own = np.nonzero(faces.owners == person)[0]
        given: IntArray = generator.permutation(own)[:references]
        rest = np.setdiff1d(np.arange(len(faces.owners)), given)
        scores = Query.of(faces.embeddings[given]).score(faces.embeddings[rest])
        probabilities.append(scores.probabilities)
        truth.append(faces.owners[rest] == person)
    return np.concatenate(probabilities), np.concatenate(truth)
