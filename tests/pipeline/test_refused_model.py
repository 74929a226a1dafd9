"""A model that cannot be used is told at the place in the configuration that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.config.loader import load_config
from edgecam.errors import ModelError
from edgecam.pipeline.assembly import assemble
from edgecam.pipeline.reloading import problems_of


def test_the_notice_of_a_refused_model_has_its_line_and_its_key(tmp_path: Path) -> None:
    """Programs read `where` and `path`, not the sentence; of the file they get the name alone."""
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  default:\n    path: no_such_model\n", encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        assemble(load_config(path, environ={}))
    (told,) = problems_of(caught.value)
    assert (told.where, told.path) == ("config.yaml:3:5", "models.default.path")
    assert "no such model" in told.text
    (logged,) = problems_of(caught.value, whole_paths=True)
    assert str(logged) == str(caught.value)


def test_a_model_that_no_configuration_names_is_one_problem_of_words_alone() -> None:
    """As any other failure of a reload."""
    (told,) = problems_of(ModelError("pets: is damaged"))
    assert (told.where, told.path, told.text) == ("", "", "pets: is damaged")
