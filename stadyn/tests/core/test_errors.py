# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's exception: one line, whatever a damaged file is quoted with, and whole after a trip between processes."""

import pickle

import pytest

from stadyn.core.errors import InputError


@pytest.mark.parametrize("quoted", ["a\nb", "a\r\nb", "a\x00b", "a\x1bb", "a\x85b", "a\u2028b", "a\x1cb"])
def test_a_quoted_control_character_does_not_break_the_line(quoted):
    assert str(InputError(f"class {quoted} of m.omd: give another")) == "class a b of m.omd: give another"


def test_spaces_and_letters_stay_as_they_are():
    assert str(InputError("/data/two  spaces/ÅÖ.tbl: 5 °")) == "/data/two  spaces/ÅÖ.tbl: 5 °"


def test_an_endless_word_is_cut_and_the_longest_name_of_a_file_is_not():
    name = "/data/" + "n" * 255 + "/" + "m" * 255
    text = str(InputError(f"{name} has vlp {'9' * 5000} in line 3: correct it"))
    assert text == f"{name} has vlp {'9' * 60}… in line 3: correct it"


def test_it_comes_back_whole_from_another_process():
    error = pickle.loads(pickle.dumps(InputError("m.omd\nholds nothing")))
    assert isinstance(error, InputError) and str(error) == "m.omd holds nothing"
