"""What is kept for Prometheus between scrapes."""

from __future__ import annotations

from edgecam.appliance.metrics import Durations
from edgecam.records import AgeBasis, Result, StageTimes

MS = 1_000_000


def result(camera: str) -> Result:
    """One that took 3 ms."""
    stages = StageTimes(preprocess_ns=MS, infer_ns=MS, postprocess_ns=MS)
    return Result(
        camera=camera,
        seq=1,
        captured_ns=0,
        basis=AgeBasis.ARRIVAL,
        finished_ns=3 * MS,
        budget_ns=100 * MS,
        top=(),
        model="default",
        engine="made",
        stages=stages,
    )


def test_the_durations_of_a_camera_that_is_no_more_are_forgotten() -> None:
    """A scrape tells of the cameras that there are; reloads must not let labels pile up."""
    durations = Durations()
    for camera in "ab":
        durations.add(result(camera))

    def cameras(*there: str) -> set[str]:
        """Those that a scrape tells of."""
        return {sample.labels["camera"] for family in durations.families(there) for sample in family.samples}

    assert cameras("a", "b") == {"a", "b"}
    assert cameras("a") == {"a"}
    assert cameras("a", "b") == {"a"}
