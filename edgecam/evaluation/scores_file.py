"""Scores as a file, to be looked at again without running the network: a NumPy archive without pickles."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from edgecam.errors import UsageError
from edgecam.evaluation.scores import Scores
from edgecam.measure.whole_file import told_of, whole_file

# What the readers of zip, zlib and NumPy raise for a file that is none, or was changed; the last one for an
# array that says to be larger than memory.
_DAMAGES = (
    EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, MemoryError,
)  # fmt: skip


def save_scores(scores: Scores, path: Path) -> None:
    """Write `labels`, `names`, `truth`, `probabilities` and `engine`; the file appears whole.

    Raises:
        EdgecamError: it cannot be written.
    """
    with whole_file(path) as file, told_of(path):
        np.savez_compressed(
            file,
            labels=np.array(scores.labels, np.str_),
            names=np.array(scores.names, np.str_),
            truth=scores.truth,
            probabilities=scores.probabilities,
            engine=np.array(scores.engine, np.str_),
        )


def load_scores(path: Path) -> Scores:
    """Read what `save_scores` has written.

    Raises:
        UsageError: it is no such file.
    """
    try:
        # NumPy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            scores = Scores(
                labels=tuple(archive["labels"].tolist()),
                names=tuple(archive["names"].tolist()),
                truth=np.asarray(archive["truth"], np.int64),
                probabilities=np.asarray(archive["probabilities"], np.float32),
                engine=str(archive["engine"]),
            )
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except _DAMAGES as error:
        raise UsageError(f"{path}: is no file of `edgecam eval --save-scores`") from error
    wanted = (len(scores.names), len(scores.labels))
    fits = scores.probabilities.shape == wanted and scores.truth.shape == wanted[:1]
    if not fits or not ((scores.truth >= 0) & (scores.truth < len(scores.labels))).all():
        raise UsageError(f"{path}: is damaged: its arrays do not fit each other; save the scores again")
    return scores
