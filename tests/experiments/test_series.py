"""Rows beside trials.csv: one header a file, and no row that does not belong."""

import pytest

from experiments.harness.rundir import RunDirectoryError
from experiments.harness.series import Series, SeriesError


def test_rows_of_several_trials_stand_in_one_file(tmp_path):
    series = Series(tmp_path / "series")
    series.add("throughput", 1, [{"at_s": 0.5, "mbps": 9.1}, {"at_s": 1.0, "mbps": 9.4}])
    series.add("throughput", 2, [{"at_s": 0.5, "mbps": 8.8}])
    series.add("nothing", 2, [])
    assert (tmp_path / "series" / "throughput.csv").read_text() == "trial,at_s,mbps\n1,0.5,9.1\n1,1.0,9.4\n2,0.5,8.8\n"
    assert [path.name for path in (tmp_path / "series").iterdir()] == ["throughput.csv"]


@pytest.mark.parametrize(("name", "rows", "cause"), [
    ("../up", [{"a": 1}], "it is to be a file's name"),
    ("", [{"a": 1}], "it is to be a file's name"),
    ("mixed", [{"a": 1}, {"b": 1}], "it has b where the first one has a"),
    ("mixed", [{"a": 1, "b": 2}, {"b": 1, "a": 2}], "it has b, a where the first one has a, b"),
])  # fmt: skip
def test_what_does_not_belong_is_refused(tmp_path, name, rows, cause):
    with pytest.raises(SeriesError, match=cause):
        Series(tmp_path).add(name, 1, rows)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_does_not_take_them_is_said(tmp_path):
    (tmp_path / "series").write_text("in the way")
    with pytest.raises(RunDirectoryError, match="could not write"):
        Series(tmp_path / "series").add("a", 1, [{"a": 1}])
