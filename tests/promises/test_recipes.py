"""Every shipped recipe can be used: it loads, its network can be built, its data can be opened."""

import pytest
import torch

import onenet
from onenet.config import load_config, recipe_names
from onenet.data import open_dataset


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_names_a_network_that_exists_with_arguments_that_it_has(name):
    with torch.device("meta"):
        network = onenet.create_model(**load_config(name).model)
    assert network.stride <= min(load_config(name).data.size)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_stands_as_words_on_the_command_line_too(name):
    assert load_config(name, ["train.seed=7"]).train.seed == 7


def test_the_demo_opens_its_data():
    dataset = open_dataset(load_config("demo").data)
    assert dataset.classes == ("background", "nucleus")
    for split in ("train", "val", "test"):
        for sample in dataset.samples(split):
            assert set(sample.mask.ravel().tolist()) <= {0, 1}


def test_the_pet_recipe_opens_the_packaged_pets():
    assert open_dataset(load_config("pet-small", ["data.root=samples:oxford_pet"]).data).num_classes == 3
