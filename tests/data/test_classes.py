"""Class tables are read in every form that people have; what cannot be meant is named with its line."""

import pytest

from onenet.data.classes import find_class_table, read_class_table
from onenet.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(text, name="classes.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8"))
        return read_class_table(path)

    return write


def test_names_alone_are_values_0_1_2(table):
    found = table("background\nroad 2\n\n# a remark\ntraffic light\n")
    assert found.names == ("background", "road 2", "traffic light")
    assert found.values == (0, 1, 2) and not found.coloured


@pytest.mark.parametrize("line", ["cat,1", "cat;1", "cat\t1", '"cat",1', "1,cat", "1 cat", "cat, 1 ,"])
def test_name_and_value_in_any_order(table, line):
    found = table(f"nothing,0\n{line}\n")
    assert (found.names, found.values) == (("nothing", "cat"), (0, 1))


@pytest.mark.parametrize(
    "line", ["cat,64,128,64", "cat,#408040", "64 128 64\tcat", "64 128 64 cat", "cat;64;128;64", "64,128,64,cat"]
)
def test_name_and_colour(table, line):
    found = table(f"0 0 0 nothing\n{line}\n")
    assert found.coloured and found.names == ("nothing", "cat")
    assert found.values == (0, 64 << 16 | 128 << 8 | 64)
    assert found.colours == ((0, 0, 0), (64, 128, 64))


def test_a_value_beside_a_colour_is_what_the_mask_holds(table):
    found = table("nothing,0,0,0,0\ncat,1,64,128,64\n")
    assert not found.coloured and found.values == (0, 1) and found.colours[1] == (64, 128, 64)


def test_a_heading_a_byte_order_mark_and_windows_lines_do_not_disturb(table):
    found = table("\ufeffname,r,g,b\r\nsky,128,128,128\r\ncar,64,0,128\r\n", "class_dict.csv")
    assert found.names == ("sky", "car") and found.coloured


def test_void_lines_are_not_classes(table):
    found = table("0 0 0\tVoid\n128 0 0\tbuilding\n")
    assert found.names == ("building",) and found.void == (0,)
    assert table("sky\nvoid\ncar\n").values == (0, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "names no class"),
        ("void\n", "names no class"),
        ("cat,1\ncat,2\n", "lines 1 and 2 have the same name"),
        ("cat,1\ndog,1\n", "lines 1 and 2 have the same value"),
        ("cat,300,0,0\n", "line 1"),
        ("cat,1\ndog\n", "line 2, 'dog', has no value"),
        ("cat,1,2\n", "line 1"),
        ("\n".join(f"class{i}" for i in range(300)), "names 300 classes"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(table, text, complaint):
    with pytest.raises(DataError, match=complaint) as refusal:
        table(text)
    assert "classes.txt" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_table_that_is_no_text_is_named(tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"classes\.txt: not a text file"):
        read_class_table(tmp_path / "classes.txt")


def test_the_table_of_the_folder_is_found_and_a_named_one_must_be_there(tmp_path):
    assert find_class_table(tmp_path, "") is None
    (tmp_path / "label_colors.txt").write_text("0 0 0\tsky")
    assert find_class_table(tmp_path, "") == tmp_path / "label_colors.txt"
    with pytest.raises(DataError, match=r"mine\.csv: no such file"):
        find_class_table(tmp_path, "mine.csv")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("road 2", "road 2"),
        ("7 eleven,1", "7 eleven"),
        ('"bread, white",1', "bread, white"),
        ("café;1", "café"),
        (r"C:\things\cup,1", r"C:\things\cup"),
        ("don't know,1,,,", "don't know"),
    ],
)
def test_names_may_hold_nearly_anything(table, line, name):
    first = "nothing" if line == "road 2" else "nothing,0"
    assert table(f"{first}\n{line}\n").names[1] == name


@pytest.mark.parametrize("line", ["cat 64 128 64", "cat #408040", "#408040 cat", "cat,64 128 64"])
def test_a_colour_may_stand_on_either_side_without_commas(table, line):
    assert table(f"nothing,#000000\n{line}\n").colours[1] == (64, 128, 64)


@pytest.mark.parametrize("heading", ["name", "class_name\n", "Name,R,G,B", "r g b name", "name;value", "id,name"])
def test_a_heading_is_no_class(table, heading):
    assert table(f"{heading}\ncat,1\n").names == ("cat",)


def test_empty_columns_and_lines_of_a_spreadsheet_are_left_out(table):
    assert table("cat,1,,\n,,,\ndog,2,,\n,,,\n").values == (1, 2)


def test_a_name_with_a_number_before_it_is_not_taken_for_a_value_in_silence(table):
    with pytest.raises(DataError, match="line 1, 'shop', has no value, but line 2, 'eleven', has one"):
        table("shop\n7 eleven\n")


@pytest.mark.parametrize("text", ["cat,0\nvoid,0\n", "void,#ff0000\ncat,#FF0000\n"])
def test_what_is_void_cannot_be_a_class_too(table, text):
    with pytest.raises(DataError, match="lines 1 and 2 have the same value or colour"):
        table(text)
    assert table("cat,1\nvoid,0\nignore,0\n").void == (0, 0)


def test_colours_that_are_only_shown_leave_the_numbers_of_the_lines(table):
    found = table("void,#000000\nsky,#0000ff\ncar,#ff0000\n").by_index()
    assert (found.values, found.void, found.coloured) == ((1, 2), (0,), False)
    assert found.colours == ((0, 0, 255), (255, 0, 0))
