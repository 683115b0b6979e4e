from bench import passes


def test_the_passes_of_a_small_library_are_timed():
    lines = list(passes.report(faces=1500))

    told = "\n".join(lines)
    assert "1,500 faces, 30 people with a name" in told
    for what in (
        "the first, of everything",
        "nothing new",
        "1,000 faces more",
        "100 faces confirmed",
    ):
        assert what in told
    (quiet,) = (line for line in lines if line.startswith("| nothing new"))
    assert [cell.strip() for cell in quiet.split("|")][4] == "0"  # guesses written
