import numpy as np
from click.testing import CliRunner

from bench import scale
from bench.__main__ import main


def test_made_faces_are_as_many_as_wanted_and_of_unit_length():
    vectors, owners, photos = scale.faces(3000)

    assert vectors.shape == (3000, 128)
    assert len(owners) == len(photos) == 3000
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    sizes = np.bincount(owners)
    assert sizes.min() == 1
    assert sizes.max() > 5


def test_the_command_prints_a_row_for_each_size():
    done = CliRunner().invoke(main, ["scale", "--faces", "1500", "--faces", "2000"])

    assert done.exit_code == 0, done.output
    rows = [line.split("|")[1:-1] for line in done.output.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == ["faces", "1,500", "2,000"]
    for row in rows[1:]:
        people, seconds, megabytes, added, groups = (
            float(cell.replace(",", "")) for cell in row[1:]
        )
        assert 0 < groups < people < 2000
        assert megabytes > 0
        assert min(seconds, added) >= 0  # to a tenth of a second
