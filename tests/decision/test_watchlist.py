"""Which names a camera reports."""

from __future__ import annotations

import numpy as np
import pytest

from edgecam.decision.watchlist import Threshold, UnknownNameError, Watchlist, unknown

LABELS = ["tabby", "tiger cat", "beagle", "crane", "crane", "cup"]
GROUPS = {"cat": [0, 1], "cup": [5], "animal": [0, 1, 2]}
PROBABILITIES = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05], np.float32)


def scores(watchlist: Watchlist) -> dict[str, float]:
    """Name to score."""
    values = watchlist.scores(PROBABILITIES)
    return dict(zip(watchlist.names, (round(float(v), 4) for v in values), strict=True))


def test_a_group_is_the_sum_of_its_members() -> None:
    """Two kinds of cat that flicker are one steady cat; groups may overlap."""
    watch = {"cat": Threshold(), "animal": Threshold(), "beagle": Threshold()}
    assert scores(Watchlist(LABELS, GROUPS, watch=watch)) == {"cat": 0.55, "animal": 0.75, "beagle": 0.2}


def test_an_empty_watch_reports_every_label_and_no_group() -> None:
    """The default; labels of the same name are one."""
    assert scores(Watchlist(LABELS, GROUPS)) == {
        "tabby": 0.3,
        "tiger cat": 0.25,
        "beagle": 0.2,
        "crane": 0.2,
        "cup": 0.05,
    }


def test_ignored_names_are_not_reported_but_still_count_in_their_group() -> None:
    """Ignoring a label takes it from the candidates, not from what the network said."""
    assert scores(Watchlist(LABELS, GROUPS, watch={"cat": Threshold()}, ignore=["tabby"])) == {"cat": 0.55}
    assert "tabby" not in Watchlist(LABELS, GROUPS, ignore=["tabby"]).names


def test_ignoring_a_group_ignores_its_labels() -> None:
    """With every label watched, `ignore: [cat]` silences all cats."""
    assert Watchlist(LABELS, GROUPS, ignore=["cat"]).names == ("beagle", "crane", "cup")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Cat", '; did you mean "cat"?'),
        ("beegle", '; did you mean "beagle"?'),
        ("zebra crossing", '; it has "tabby", "tiger cat", "beagle", "crane", "cup", "cat", "animal"'),
    ],
)
def test_an_unknown_name_is_refused_with_its_likeness(name: str, hint: str) -> None:
    """A typing error in watch: must not become a sensor that never fires; few names are told outright."""
    with pytest.raises(UnknownNameError) as caught:
        Watchlist(LABELS, GROUPS, watch={name: Threshold()})
    assert str(caught.value) == f'the model has no label or group "{name}"{hint}'


def test_all_unknown_names_are_refused_at_once() -> None:
    """Whoever mends one need not meet the next at another start."""
    with pytest.raises(UnknownNameError) as caught:
        Watchlist(LABELS, GROUPS, watch={"bus": Threshold(), "cup": Threshold()}, ignore=["taby", "bus"])
    assert caught.value.names == ("bus", "taby")


def test_of_many_names_it_is_told_where_they_stand() -> None:
    """A thousand would bury the fault."""
    many = [f"class {number}" for number in range(11)]
    assert unknown("?", many, listed="labels.txt").endswith('"?"; what it has is in labels.txt')
    assert unknown("?", many).endswith('"?"')


def test_everything_may_be_ignored() -> None:
    """An empty list of names gives no scores rather than an error."""
    watchlist = Watchlist(["a"], {}, ignore=["a"])
    assert watchlist.scores(np.array([1.0], np.float32)).size == 0


def test_scores_never_leave_the_unit_interval() -> None:
    """Rounding of quantized probabilities may sum above one; a score may not."""
    watchlist = Watchlist(["a", "b"], {"all": [0, 1]}, watch={"all": Threshold()})
    assert watchlist.scores(np.array([0.6, 0.6], np.float32)).tolist() == [1.0]
