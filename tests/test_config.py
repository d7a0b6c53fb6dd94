"""A run is what the recipe and the command line say, every value of the right kind, every mistake named."""

import dataclasses
import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onenet.config import (
    AugmentConfig,
    DataConfig,
    LossConfig,
    TrainConfig,
    load_config,
    parse_spec,
    recipe_names,
    spec_of,
)
from onenet.errors import ConfigError


def written(folder, text, name="recipe.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# --- the default recipe


def test_the_default_recipe_holds_every_key():
    recipe = tomllib.loads(resources.files("onenet.recipes").joinpath("default.toml").read_text())
    for table, kind in (("data", DataConfig), ("augment", AugmentConfig), ("loss", LossConfig), ("train", TrainConfig)):
        assert set(recipe[table]) == {field.name for field in dataclasses.fields(kind)}
    assert set(recipe) == {"data", "model", "augment", "loss", "train"}


def test_default_is_among_the_shipped_recipes():
    assert {"default", "demo", "pet-small"} <= set(recipe_names())


# --- overrides


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.epochs=7", 7),
        ("train.epochs=1e3", 1000),
        ("train.learning_rate=0.5", 0.5),
        ("train.learning_rate=1", 1.0),
        ("train.learning_rate=1e-4", 1e-4),
        ("train.device=cpu", "cpu"),
        ('train.device="cpu"', "cpu"),
        ("train.precision=32-true", "32-true"),
        ("augment.flip=false", False),
        ("augment.scale=[1, 2]", (1.0, 2.0)),
        ('data.class_names=["sky", "not sky"]', ("sky", "not sky")),
        ("data.background=-1", -1),
        ("data.root=/photos/2024 summer/a=b", "/photos/2024 summer/a=b"),
        ("data.root=../photos", "../photos"),
        ("data.root=samples:nuclei", "samples:nuclei"),
        ("data.root=C:\\photos\\new", "C:\\photos\\new"),
        ("data.root=2024", "2024"),
        ("data.root=2024-05-01", "2024-05-01"),
        ("data.root=", ""),
        (" train.epochs = 7 ", 7),
    ],
)
def test_an_override_has_the_type_of_its_key(override, value):
    table, key = override.partition("=")[0].strip().split(".")
    found = getattr(getattr(load_config("default", [override]), table), key)
    assert found == value
    assert type(found) is type(value)


def test_the_command_line_wins_over_the_recipe_and_the_recipe_over_the_default(tmp_path):
    recipe = written(tmp_path, "[train]\nepochs = 3\nbatch = 5\n")
    config = load_config(recipe, ["train.batch=6"])
    assert (config.train.epochs, config.train.batch, config.train.seed) == (3, 6, 0)


def test_of_two_equal_overrides_the_last_wins():
    assert load_config("default", ["train.epochs=1", "train.epochs=2"]).train.epochs == 2


def test_the_model_table_is_handed_on_as_it_is():
    config = load_config("default", ["model.name=unet-4", "model.width=8", "model.spatial_in=decoder"])
    assert config.model == {"name": "unet-4", "width": 8, "spatial_in": "decoder"}


@pytest.mark.parametrize(("text", "size"), [("96", (96, 96)), ("[96, 128]", (96, 128)), ("1", (1, 1))])
def test_data_size_is_a_square_or_height_and_width(text, size):
    assert load_config("default", [f"data.size={text}"]).data.size == size


def test_a_spec_lies_over_the_recipe_and_under_the_command_line():
    config = load_config("demo", ["data.val=0.4"], data="folder:/photos,val=0.3,test=0.2")
    assert (config.data.root, config.data.val, config.data.test) == ("/photos", 0.4, 0.2)
    assert config.data.size == (128, 128)  # the recipe's


# --- mistakes


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("train.epoch=5", "train.epochs"),
        ("train.learning-rate=1", "train.learning_rate"),
        ("data.epochs=5", "train.epochs"),
        ("train.root=x", "data.root"),
        ("epochs=5", "train.epochs"),
        ("trian.epochs=5", "train"),
        ("data.format=foldr", "folder"),
        ("data.format=pet_small", "pet-small"),
        ("train.device=cuad", "cuda"),
        ("train.precision=bf16_mixed", "bf16-mixed"),
        ("data.fit=covr", "cover"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_right_one(override, suggestion):
    with pytest.raises(ConfigError) as refusal:
        load_config("default", [override])
    assert suggestion in str(refusal.value).partition("did you mean")[2].split("?")[0]


@pytest.mark.parametrize(
    ("override", "example"),
    [
        ("data.class_values=[0,1,x]", """'data.class_values=["#000000", "#ff0000"]'"""),
        ("data.class_values=[#000000,#ff0000]", """'data.class_values=["#000000", "#ff0000"]'"""),  # a shell's work
        ("data.class_names=[cat, dog]", """'data.class_names=["cat", "dog"]'"""),
        ("data.size=[16,", "'data.size=[256, 256]'"),
    ],
)
def test_a_list_that_cannot_be_read_is_called_that_and_its_parts_are_no_values(override, example):
    with pytest.raises(ConfigError) as refusal:
        load_config("default", [override])
    assert str(refusal.value) == f"{override}: not a list that can be read; write it, with the quotes, as in {example}"


def test_an_unknown_recipe_is_answered_with_the_nearest_right_one():
    with pytest.raises(ConfigError, match="unknown recipe 'defualt': did you mean default"):
        load_config("defualt")


def test_an_unknown_table_in_a_recipe_names_the_recipe(tmp_path):
    recipe = written(tmp_path, "[trian]\nepochs = 3\n")
    with pytest.raises(ConfigError, match=r"recipe\.toml: unknown table \[trian\]: did you mean train"):
        load_config(recipe)


def test_a_key_outside_every_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="train must be a table"):
        load_config(written(tmp_path, "train = 3\n"))


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.epochs=0", "train.epochs", "0"),
        ("train.epochs=2.5", "train.epochs", "2.5"),
        ("train.epochs=many", "train.epochs", "many"),
        ("train.epochs=true", "train.epochs", "True"),
        ("train.learning_rate=-1", "train.learning_rate", "-1"),
        ("train.learning_rate=nan", "train.learning_rate", "nan"),
        ("train.learning_rate=inf", "train.learning_rate", "inf"),
        ("train.learning_rate=fast", "train.learning_rate", "fast"),
        ("train.warmup=1.5", "train.warmup", "1.5"),
        ("train.ema=1", "train.ema", "1"),
        ("train.seed=-1", "train.seed", "-1"),
        ("train.workers=-1", "train.workers", "-1"),
        ("data.split_seed=-1", "data.split_seed", "-1"),
        ("data.val=1", "data.val", "1"),
        ("data.num_classes=255", "data.num_classes", "255"),
        ("data.ignore_index=70000", "data.ignore_index", "70000"),
        ("data.background=-2", "data.background", "-2"),
        ("data.size=0", "data.size", "0"),
        ("data.size=[64]", "data.size", "[64]"),
        ("data.size=[64, 64, 3]", "data.size", "[64, 64, 3]"),
        ("data.size=large", "data.size", "large"),
        ("data.size=true", "data.size", "True"),
        ("data.class_names=3", "data.class_names", "3"),
        ("data.class_names=[1, 2]", "data.class_names", "1"),
        ("augment.scale=[2, 1]", "augment.scale", "[2, 1]"),
        ("augment.scale=[0, 1]", "augment.scale", "0"),
        ("augment.colour=2", "augment.colour", "2"),
        ("augment.flip=1", "augment.flip", "1"),
        ("model.name=5", "model.name", ""),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_itself(override, key, value):
    with pytest.raises(ConfigError) as refusal:
        load_config("default", [override])
    assert key in str(refusal.value)
    assert value in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_names_can_be_written_without_brackets_and_quotes_because_shells_eat_them():
    assert load_config("default", ["data.class_names=cat, dog"]).data.class_names == ("cat", "dog")
    assert parse_spec("folder:a,b/photos,class_names=cat,dog").class_names == ("cat", "dog")


def test_the_example_for_a_wrong_list_is_one_that_works():
    with pytest.raises(ConfigError) as refusal:
        load_config("default", ["data.class_names=3"])
    example = str(refusal.value).partition("for example ")[2]
    load_config("default", [f"data.class_names={example}"])


@pytest.mark.parametrize(
    "spec",
    ["folder:photos", 'folder:my photos,class_values=["#000000","#ff0000"],test=0.0', "camvid:town,size=[9,12]"],
)
def test_the_spec_of_data_names_the_same_data(spec):
    data = parse_spec(spec)
    assert parse_spec(spec_of(data)) == data
    assert spec_of(parse_spec("folder:photos")) == "folder:photos"


def test_a_short_word_is_not_taken_for_another_short_word():
    with pytest.raises(ConfigError, match=r"train\.device='gpu': choose from auto, cpu, cuda, mps"):
        load_config("default", ["train.device=gpu"])


@pytest.mark.parametrize("word", ["epochs", "train.=3", "=3", "train=3"])
def test_a_word_that_is_not_key_and_value_is_refused(word):
    with pytest.raises(ConfigError, match=r"is not SECTION\.KEY=VALUE"):
        load_config("default", [word])


def test_a_recipe_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read \(No such file or directory\)"):
        load_config(str(tmp_path / "gone.toml"))


@pytest.mark.parametrize("content", [b"[train\nepochs", b"\xff\xfe\x00", b"epochs = 1\nepochs = 2"])
def test_a_recipe_that_is_not_toml_is_named(tmp_path, content):
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.toml: not a TOML file"):
        load_config(str(tmp_path / "bad.toml"))


# --- there and back


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_written_out_in_full_gives_the_same_run_again(tmp_path, recipe):
    config = load_config(recipe, ["data.size=[96, 128]", "model.depth=3", "train.learning_rate=1e-5"])
    assert load_config(written(tmp_path, config.to_toml(), f"{recipe}.toml")) == config


@given(root=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])), names=st.lists(st.text("a\"'\\,\n é]#")))
def test_any_text_survives_being_written_out(tmp_path_factory, root, names):
    default = load_config()
    config = dataclasses.replace(
        default, name="again", data=dataclasses.replace(default.data, root=root, class_names=tuple(names))
    )
    path = tmp_path_factory.mktemp("toml") / "again.toml"
    path.write_text(config.to_toml(), encoding="utf-8", newline="")
    assert load_config(str(path)) == config


# --- SPEC: naming data in one word


def test_a_spec_names_a_format_and_a_path():
    data = parse_spec("folder:/photos/cats")
    assert (data.format, data.root) == ("folder", "/photos/cats")


def test_the_path_of_a_spec_may_hold_colons_and_look_like_a_number():
    assert parse_spec("folder:samples:nuclei").root == "samples:nuclei"
    assert parse_spec("folder:2024").root == "2024"


def test_a_spec_may_change_keys_of_the_data():
    data = parse_spec("pet-small:/pets,val=0.3,split_seed=4")
    assert (data.format, data.root, data.val, data.split_seed) == ("pet-small", "/pets", 0.3, 4)


def test_a_list_may_stand_in_a_spec():
    assert parse_spec("folder:/photos,class_names=['sky', 'tree'],val=0.3").class_names == ("sky", "tree")
    assert parse_spec("folder:/photos,size=[96, 128]").size == (96, 128)


def test_a_recipe_is_a_spec_of_its_data(tmp_path):
    assert parse_spec("demo") == load_config("demo").data
    recipe = written(tmp_path, '[data]\nroot = "here"\n')
    assert parse_spec(recipe).root == "here"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("photos", "folder:PATH"),
        ("folder:", "neither FORMAT:PATH nor a recipe"),
        ("foldr:/photos", "did you mean folder"),
        ("folder:/photos,vall=0.2", "did you mean data.val"),
        ("folder:/photos,val=much", "data.val='much'"),
        ("gone.toml", "gone.toml: cannot be read"),
    ],
)
def test_a_spec_that_names_nothing_is_refused(spec, complaint):
    with pytest.raises(ConfigError) as refusal:
        parse_spec(spec)
    assert complaint in str(refusal.value)


def test_another_network_comes_with_its_own_sizes():
    recipe = load_config("pet-small").model
    assert recipe == {"name": "onenet-e-4", "width": 16}
    assert load_config("pet-small", ["model.name=onenet-x-s"]).model == {"name": "onenet-x-s"}
    assert load_config("pet-small", ["model.width=8", "model.name=unet-4"]).model == {"name": "unet-4", "width": 8}
    assert load_config("pet-small", ["model.name=onenet-e-4"]).model == recipe
    assert load_config("pet-small", ["model.depth=3"]).model == {**recipe, "depth": 3}


def test_a_single_word_is_no_list_of_overrides():
    with pytest.raises(ConfigError, match=r"overrides are a list of 'key=value', as \['train\.epochs=3'\], not 'tr"):
        load_config("default", "train.epochs=3")
