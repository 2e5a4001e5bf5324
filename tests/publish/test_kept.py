import pytest

from derive.publish import kept
from derive.publish.kept import Kept


def counted(folder):
    """Return a store, and a maker that counts how often it is asked."""
    asked = []

    def make(text="<p>made</p>"):
        asked.append(text)
        return text

    return Kept(folder), make, asked


def test_a_piece_is_made_once(tmp_path):
    store, make, asked = counted(tmp_path / "kept")
    assert store.piece(("a", "b"), make) == store.piece(("a", "b"), make) == "<p>made</p>"
    assert Kept(tmp_path / "kept").piece(("a", "b"), make) == "<p>made</p>"
    assert len(asked) == 1


def test_what_it_was_made_from_tells_pieces_apart(tmp_path):
    store, make, asked = counted(tmp_path)
    for made_from in (("a", "b"), ("ab", ""), ("", "ab"), ("a", "b", "")):
        store.piece(made_from, make)
    assert len(asked) == 4


def test_other_code_makes_all_anew(tmp_path, monkeypatch):
    store, make, asked = counted(tmp_path)
    store.piece(("a",), make)
    monkeypatch.setattr(kept, "code_digest", lambda: "another")
    store.piece(("a",), make)
    assert len(asked) == 2


def test_what_no_build_uses_is_forgotten_and_nothing_else(tmp_path):
    store, make, asked = counted(tmp_path)
    store.piece(("old",), make)
    (tmp_path / "notes.txt").write_text("mine")
    again = Kept(tmp_path)
    again.piece(("new",), make)
    again.forget_unused()
    assert (tmp_path / "notes.txt").exists()
    again.piece(("new",), make)
    assert len(asked) == 2
    again.piece(("old",), make)
    assert len(asked) == 3


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    store = Kept(tmp_path / "kept")

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.piece(("a",), fail)
    assert not (tmp_path / "kept").exists()


def test_the_digest_covers_templates_and_code():
    assert len(kept.code_digest()) == 64
