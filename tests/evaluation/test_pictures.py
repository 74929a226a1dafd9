"""Which pictures there are, and what each shows: class folders and CSVs, names, numbers and groups."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from edgecam.errors import SourceError, UnreadableFrame
from edgecam.evaluation.pictures import PictureSet, read_picture_set, read_pixels

LABELS = ("background", "tabby", "Siamese cat", "beagle", "espresso")
GROUPS = {"cat": (1, 2), "animal": (1, 2, 3), "dog": (3,)}


def touch(root: Path, *names: str) -> Path:
    """Empty files, with the folders that they need; nobody opens them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write(path: Path, text: str) -> Path:
    """A CSV."""
    path.write_text(text, encoding="utf-8")
    return path


def told(pictures: PictureSet) -> list[tuple[str, str]]:
    """Name and label of each."""
    return [(pictures.name_of(each), pictures.labels[each.label]) for each in pictures.pictures]


def fault_of(path: Path, **given: object) -> str:
    """What is said of a set that is refused."""
    with pytest.raises(SourceError) as caught:
        read_picture_set(path, **({"labels": LABELS, "groups": GROUPS} | given))  # type: ignore[arg-type]
    return str(caught.value)


def test_class_folders_are_labels_in_the_models_order(tmp_path: Path) -> None:
    """A folder is called as its pictures' label; labels without pictures stay, since outputs are counted."""
    root = touch(tmp_path, "tabby/2.jpg", "tabby/1.PNG", "espresso/deep/inside/a.webp", "notes.txt")
    found = read_picture_set(root, labels=LABELS, groups=GROUPS)
    assert found.labels == LABELS
    assert found.members is None
    assert told(found) == [
        ("espresso/deep/inside/a.webp", "espresso"),
        ("tabby/1.PNG", "tabby"),
        ("tabby/2.jpg", "tabby"),
    ]


def test_without_a_model_the_folders_names_are_the_labels(tmp_path: Path) -> None:
    """In alphabetic order; numbers by their size, as a network's outputs are numbered."""
    assert read_picture_set(touch(tmp_path / "a", "b/1.jpg", "a/1.jpg")).labels == ("a", "b")
    assert read_picture_set(touch(tmp_path / "n", "10/1.jpg", "9/1.jpg")).labels == ("9", "10")


@pytest.mark.parametrize("name", ["a\nb", " cat", "cat\r", "\ufeffcat", "c\udce9t"])
def test_a_folder_whose_name_no_file_of_labels_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    """Before a network is trained on it, rather than when its labels do not come back as they were."""
    with pytest.raises(SourceError, match="is no label: it has a line break, a space at an end, or bytes"):
        read_picture_set(touch(tmp_path, f"{name}/1.jpg", "b/1.jpg"))


def test_files_that_are_no_pictures_are_named_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    """A .heic that is silently left out would make the figures look better founded than they are."""
    root = touch(
        tmp_path, "tabby/1.jpg", "tabby/2.heic", "tabby/.cache/3.jpg", ".git/4.jpg", "__MACOSX/5.jpg"
    )
    (root / "tabby" / "round").symlink_to(root / "tabby")
    found = read_picture_set(root, labels=LABELS)
    assert told(found) == [("tabby/1.jpg", "tabby")]
    assert found.left_out == (root / "tabby/2.heic",)


def test_class_folders_may_be_links(tmp_path: Path) -> None:
    """So that one set of pictures can be called in several ways."""
    touch(tmp_path / "there", "1.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "tabby").symlink_to(tmp_path / "there")
    assert told(read_picture_set(tmp_path / "set", labels=LABELS)) == [("tabby/1.jpg", "tabby")]


def test_a_group_as_a_folder_tells_apart_what_the_folders_are_called(tmp_path: Path) -> None:
    """Groups and labels can be mixed; the rest of the model's classes is `other`."""
    found = read_picture_set(
        touch(tmp_path, "cat/1.jpg", "4/2.jpg", "other/3.jpg"), labels=LABELS, groups=GROUPS
    )
    assert found.labels == ("cat", "espresso", "other")
    assert found.members == ((1, 2), (4,), ())
    assert told(found) == [("4/2.jpg", "espresso"), ("cat/1.jpg", "cat"), ("other/3.jpg", "other")]


def test_a_group_cannot_be_told_from_one_that_holds_it(tmp_path: Path) -> None:
    """The larger one would always win; groups that have but some classes in common are told apart."""
    fault = fault_of(touch(tmp_path / "nested", "cat/1.jpg", "animal/2.jpg"))
    assert '"cat" is a part of "animal"' in fault
    fault = fault_of(touch(tmp_path / "label", "cat/1.jpg", "tabby/2.jpg"))
    assert '"tabby" is a part of "cat"' in fault
    found = read_picture_set(
        touch(tmp_path / "overlapping", "cat/1.jpg", "pet/2.jpg"),
        labels=LABELS,
        groups={"cat": (1, 2), "pet": (2, 3)},
    )
    assert found.members == ((1, 2), (2, 3), ())


def test_a_label_wins_while_every_name_is_one(tmp_path: Path) -> None:
    """A group that is called as a label does not change what all other pictures are compared with."""
    root = touch(tmp_path, "tabby/1.jpg")
    found = read_picture_set(root, labels=LABELS, groups={"tabby": (1, 2)})
    assert found.members is None
    root = touch(tmp_path, "dog/1.jpg")
    found = read_picture_set(root, labels=LABELS, groups={"tabby": (1, 2), "dog": (3,)})
    assert found.members == ((3,), (1, 2), ())


@pytest.mark.parametrize(
    ("name", "near"), [("siamese_cat", "Siamese cat"), ("Tabbi", "tabby"), ("dogs", "dog"), ("zzzzz", None)]
)
def test_an_unknown_folder_is_told_with_what_was_meant(tmp_path: Path, name: str, near: str | None) -> None:
    """Labels and groups are both looked at, whatever the case, blanks and underscores."""
    fault = fault_of(touch(tmp_path, f"{name}/1.jpg", "tabby/1.jpg"))
    assert f'{tmp_path / name}: the model has no label or group "{name}"' in fault
    assert (f'did you mean "{near}"?' in fault) if near else ("did you mean" not in fault)


def test_an_empty_class_folder_is_refused(tmp_path: Path) -> None:
    """Its class would count as one that the network never sees; what was looked for is said."""
    (tmp_path / "tabby").mkdir()
    touch(tmp_path, "espresso/1.jpg", "beagle/readme.txt")
    fault = fault_of(tmp_path)
    assert f"{tmp_path / 'tabby'}: has no picture" in fault
    assert f"{tmp_path / 'beagle'}: has no picture" in fault
    assert ".jpg" in fault


def test_a_folder_of_sets_is_told_from_a_set(tmp_path: Path) -> None:
    """Whoever names the folder above is told which to name."""
    fault = fault_of(touch(tmp_path, "val/tabby/1.jpg", "taby/2.jpg"))
    assert f'label or group "val"; or, if the class folders are in there, give {tmp_path / "val"}' in fault
    assert 'did you mean "tabby"?' in fault.splitlines()[0]
    assert "in there" not in fault.splitlines()[0]


def test_many_faults_are_cut_short(tmp_path: Path) -> None:
    """All at once, but not a screen of them."""
    fault = fault_of(touch(tmp_path, *(f"strange{number}/1.jpg" for number in range(9))))
    assert fault.count("\n") == 5
    assert "and 4 more like these" in fault


def test_what_a_name_looks_like_is_sought_for_those_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each of 10,000 class folders of another model it would take longer than anybody waits."""
    sought: list[str] = []

    def seek(name: str, *_: object, **__: object) -> list[str]:
        sought.append(name)
        return []

    monkeypatch.setattr(difflib, "get_close_matches", seek)
    root = touch(tmp_path, *(f"class{number}/1.jpg" for number in range(9)))
    assert "and 4 more like these" in fault_of(root)
    assert sought == [f"class{number}" for number in range(5)]


def test_what_is_not_there_or_has_no_class_folders_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    assert "check the path" in fault_of(tmp_path / "absent")
    assert "class folders" in fault_of(touch(tmp_path, "1.jpg"))


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.jpg,tabby\nb/c.jpg,4\n",
        "\ufefffile,class_index,note\r\na.jpg,1,\r\n\r\nb/c.jpg,espresso,dark\r\n",
        "a.jpg,tabby\n b/c.jpg , espresso \n",
    ],
)
def test_a_csv_names_labels_or_numbers(tmp_path: Path, text: str) -> None:
    """With or without names of its columns, which have several; other columns do not matter."""
    found = read_picture_set(write(tmp_path / "set.csv", text), labels=LABELS)
    assert told(found) == [("a.jpg", "tabby"), ("b/c.jpg", "espresso")]
    assert found.pictures[1].path == tmp_path / "b" / "c.jpg"


def test_a_csv_may_name_pictures_elsewhere(tmp_path: Path) -> None:
    """By whole paths, which then are their names."""
    found = read_picture_set(write(tmp_path / "set.csv", "path,label\n/far/a.jpg,tabby\n"), labels=LABELS)
    assert told(found) == [("/far/a.jpg", "tabby")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("path,label\na.jpg,tabby\nb.jpg,taby\n", 'set.csv:3: the model has no label or group "taby"'),
        ("path,label\na.jpg,5\n", "set.csv:2: there is no class 5: the model's 5 are numbered 0 to 4"),
        ("path,label\n\na.jpg\n", "set.csv:3: expected a picture and its label, got 'a.jpg'"),
        ("path,label\na.jpg,\n", "set.csv:2: expected a picture and its label"),
        ("path;label\na.jpg;tabby\n", "set.csv:1: expected the columns path,label, with a comma"),
        ('path,label\n"a.jpg,tabby\n', "is no CSV"),
        ("path,label\n", "names no picture"),
        ("", "is empty"),
        ("path,label\n\udce9.jpg,tabby\n", "is not UTF-8"),
        ("path,label\na\0.jpg,tabby\n", "set.csv:2: a path has a byte 0 in it"),
        (f"path,label\na.jpg,{5000 * '9'}\n", "set.csv:2: the model has no label"),
    ],
)
def test_a_bad_line_of_a_csv_is_told_by_its_number(tmp_path: Path, text: str, fault: str) -> None:
    """As an editor counts lines, blank ones too."""
    path = tmp_path / "set.csv"
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    assert fault in fault_of(path)


def test_numbers_count_the_lines_of_the_labels_file(tmp_path: Path) -> None:
    """A background that has no line there comes before them, as in groups.yaml."""
    path = write(tmp_path / "set.csv", "path,label\na.jpg,0\nb.jpg,3\n")
    found = read_picture_set(path, labels=LABELS, offset=1)
    assert told(found) == [("a.jpg", "tabby"), ("b.jpg", "espresso")]
    assert "numbered 0 to 3" in fault_of(write(tmp_path / "set.csv", "path,label\na.jpg,4\n"), offset=1)


def test_a_label_that_two_classes_share_has_to_be_a_number(tmp_path: Path) -> None:
    """ImageNet has two cranes: a bird and a machine."""
    labels = ("crane", "cup", "crane")
    fault = fault_of(write(tmp_path / "set.csv", "path,label\na.jpg,crane\n"), labels=labels)
    assert "write the number of the one: 0 or 2" in fault
    found = read_picture_set(write(tmp_path / "set.csv", "path,label\na.jpg,2\n"), labels=labels)
    assert found.pictures[0].label == 2


def test_pixels_are_those_of_the_image_folder_camera(tmp_path: Path) -> None:
    """Blue first; what cannot be read is told by name."""
    photo = Path(__file__).parents[1] / "data" / "cat.jpg"
    pixels = read_pixels(photo)
    assert pixels.ndim == 3
    assert pixels.dtype == "uint8"
    with pytest.raises(UnreadableFrame, match=r"empty\.jpg"):
        read_pixels(touch(tmp_path, "empty.jpg") / "empty.jpg")
