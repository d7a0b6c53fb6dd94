"""The sections of docs/results.md: title, record, introduction, and what makes its table."""

from pathlib import Path
from typing import Any

from few import table as few_table
from pages import read
from volume_times import table as volume_table

from onenet.bench.memory import Row, memory_markdown
from onenet.cli.bench import table2_markdown, throughput_markdown, train_markdown
from onenet.cli.latency import latency_markdown
from onenet.cli.rewrites import rewrites_markdown
from onenet.study.comparison_table import comparison_markdown
from onenet.study.front_plot import COSTS, draw_front
from onenet.study.grid import to_markdown
from onenet.study.paper_tables_page import table_markdown

HERE = Path(__file__).parent


def comparison_with_pictures(result: dict[str, Any]) -> str:
    """The table, and a picture of each set and cost, which is drawn here."""
    parts = [comparison_markdown(result)]
    for name in dict.fromkeys(cell["set"] for cell in result["cells"]):
        for cost in COSTS:
            file = HERE.parent / "images" / f"pareto-{result['budget']}-{name}-{cost}.svg"
            file.write_text(draw_front(result, name, cost), encoding="utf-8")
            parts.append(f"![{name}: mean IoU against {COSTS[cost]}](images/{file.name})")
    return "\n\n".join(parts)


def few_with_untrained(result: dict[str, Any]) -> str:
    """The table, with the model that others start from as it is."""
    return few_table(result, read("few-untrained")["result"])


def demo_markdown(result: dict[str, Any]) -> str:
    """Scores of the demo's model on its test images."""
    lines = ["| class | pixels | IoU | Dice |", "|---|---:|---:|---:|"]
    for row in result["classes"]:
        lines.append(f"| {row['name']} | {100 * row['pixels']:.1f} % | {row['iou']:.3f} | {row['dice']:.3f} |")
    return "\n".join([*lines, "", f"{result['images']} images, pixel accuracy {result['pixel_accuracy']:.3f}"])


def peaks_markdown(rows: list[dict[str, Any]]) -> str:
    """Peak memory against the size of the image."""
    return memory_markdown("MODEL", [Row(**row) for row in rows])


HOW = (
    "Equal width, equal recipe, from scratch, on {machine}; true IoU over the whole test set at the images' own size. "
    "Mean and standard deviation over the seeds; with one seed the 95 % interval over the test images."
)

# In title and text {names} are figures of the record, see `facts`. {images} says how many are in which split; where a
# record does not hold that, the last entry says it of the data set itself.
SECTIONS = (
    (
        "Table 2 of the paper, counted anew",
        "table2",
        "What a network costs for one image of 3x256x256 with 4 classes. The unused heads and ResNet's 1000-class "
        "layer are in the paper's count and never run.",
        table2_markdown,
        "",
    ),
    (
        "A training step of onenet-ed-4",
        "train-step",
        "Forward, loss, backward and AdamW, in turns in one process, against the paper's formulation word for word.",
        train_markdown,
        "",
    ),
    (
        "Oxford-IIIT Pet, {classes} classes",
        "pet-small",
        "Three of the 37 breeds (Abyssinian, Bengal, American bulldog), official layout and split: {images}. Recipe "
        "{recipe}, {epochs} epochs at {size} pixels. " + HOW,
        to_markdown,
        "300 images in trainval.txt to train and validate",
    ),
    (
        "CamVid, {classes} classes",
        "camvid",
        "SegNet's split and masks at 480x360: {images}. Recipe {recipe}, {epochs} epochs at {size} pixels: far from "
        "the published figures, which take full size and hundreds of epochs. " + HOW,
        to_markdown,
        "367 images in train/, 101 in val/",
    ),
    (
        "MSRC v2, {classes} classes",
        "msrc",
        "In the layout of PASCAL VOC: {images}, one of which (1_26_s) is among the training images too. Recipe "
        "{recipe}, {epochs} epochs at {size} pixels. " + HOW,
        to_markdown,
        "335 images in train.txt, 60 in val.txt",
    ),
    (
        "Nuclei, {classes} classes",
        "nuclei",
        "A part of the Data Science Bowl 2018, split at random: {images}. Images at their own scale. Recipe {recipe}, "
        "{epochs} epochs, windows of {size} pixels. " + HOW,
        to_markdown,
        "240 images in all",
    ),
    (
        "Table 1 of the paper, the small version",
        "table1-quick",
        "Networks of width 16; the ResNets at full width, onenet-x-s-decoder, the first layout of OneNet-X, as it is. "
        "Small images, few epochs, one seed, the same recipe for all, from scratch (the paper's ResNets and "
        "MobileNet were pre-trained on ImageNet): `--budget gpu25` and `--budget paper` are the larger versions. Pet "
        "full is of three of the 37 breeds. Hippocampus (MSD) stands for the paper's medical sets and CamVid for "
        "VOC's many classes. Of hearts and brains there are 2 and 1 test cases, from which nothing follows but that "
        "the path works; lung patches are cut around the tumours.",
        table_markdown,
        "",
    ),
    (
        "Table 3 of the paper, the small version",
        "table3-quick",
        "Does the spatial convolution do anything? `-spatial` is the authors' code's reading, nine taps along the "
        "flattened axis in pixel-major order; `spatial_place=between` puts it between the two channel convolutions, as "
        "Figure 1b has it; `spatial_order=channel` flattens channel-major, as section 3.3 says; onenet-d-4 has a 2D "
        "encoder and the 1D decoder. 15 epochs at 96 pixels, otherwise the recipe of the table above.",
        table_markdown,
        "",
    ),
    (
        "Accuracy against INT8 time: the small comparison",
        "pareto-cpu",
        "Small images and few epochs, narrow rivals and the paper's U-Net at full width, as two CPU cores allow; the "
        "full comparison is `--budget gpu25` and needs a GPU. {sets}: images to train, validate and test. Pet and "
        "pet-binary are the same photos, of three breeds, with and without a border class; mobilenet-unet-4 is in the "
        "full comparison alone.\n\n- Alike for all: the recipe, from scratch (LR-ASPP is usually pre-trained), and the "
        "search for the learning rate, {rates} on the 45 validation images of the first set, with one seed, which "
        "chooses the rate for all sets. Where neighbours lie a point apart there it may choose by chance: onenet-x-n's "
        "rate, the highest that was tried, costs it eight points on MSRC against 0.006; LR-ASPP lost one and a half to "
        "three points on three sets and U-Net of width 16 a point on two when the search grew from two rates to seven; "
        "DABNet's diverges with one of the seeds on pet, so that its score there is of the others. unet-4, which takes "
        "the longest, has a search of its own on the same images, with seed 1, in float32: 0.00075 and down by halves "
        "until it got worse, at 0.000047; on MSRC it has three points less with the rate so chosen than it had with "
        "0.00075, in bf16. It is trained in float32, the other cells in what `train.precision=auto` was on their "
        'machines, mostly bf16 (all of this: docs/notebook.md, "Learning rates of the small comparison").\n- Scores: '
        "mean IoU on the test images of the INT8 file, that of the float one behind it; of several seeds mean and "
        "standard deviation, and which they are where others have more. With one seed differences of a point or two "
        "mean nothing.\n- Times: of the quickest file and runtime at 256x256, on a shared machine, on which ratios "
        "differ by a third from one day to another; {timed}. Sizes are of pet's files. In float: operators that INT8 "
        "leaves in float between those in integers, in the files of one set or another.\n- What favours OneNet-X: its "
        "layout was chosen on the validation images of these sets (of pets on thirds of the images to train on, too), "
        "while the others are as published and had the search for a rate only; the class weights on CamVid were chosen "
        "with onenet-x-s-decoder; test scores of nuclei, of pet-binary and of pets on longer schedules suggested its "
        "level at half the size, and those of MSRC where to look (docs/decisions/0004-onenet-x.md). Taps that are 16 "
        "places apart, as DABNet has them, meet little but zeros in images this small: without dilation it was better "
        "on the validation images of MSRC (docs/notebook.md). The quantiser leaves PReLU, GELU and hard-swish in float."
        "\n- Schedules this short reward what learns quickly: on pets, after three times as many epochs, "
        "onenet-x-s has 0.671 and 0.675 on the test images, unet-4 of width 16 0.650 to 0.680 in three runs, at rates "
        'that were not searched for that: level (docs/notebook.md, "A decoder whose every level has a say").',
        comparison_with_pictures,
        "",
    ),
    (
        "Accuracy against INT8 time: the full comparison, begun",
        "pareto-gpu25",
        "Full width and size, on a GPU: what fifteen minutes of one gave; the other cells wait for more. "
        "onenet-x-s-decoder is the first layout of OneNet-X. {sets}; the "
        "validation images are among those to train on, as the field does. Learning rates as the small comparison "
        "found them first, among two, for unet-4 with its narrow version (among seven a lower one for that, and for "
        "unet-4 itself one 16 times lower, were better, so that its score is probably lower than it could be); "
        "neither they nor the class weights were searched at this size. Milliseconds can be compared "
        "within a table only. Published, trained for up to 1000 epochs: SegNet 0.556, ENet 0.513, DABNet 0.664, "
        "FBSNet 0.689.",
        comparison_with_pictures,
        "",
    ),
    (
        "A few photos: fine-tuned against from scratch",
        "few",
        "The recipes `few` and, where it is named, `fine-tune`, on 5, 10 and 30 images in all, a seventh of them, at "
        "least one, for validation; IoU of the objects on images that are not among them: 60 of the nuclei, and the "
        "images of MSRC's own test list that show cows, horses, sheep, cats, dogs or birds (told from everything "
        "else). Mean over the seeds, lowest to highest behind it; the seed chooses the images, too. The augmentation "
        "of `pet` was compared on cats and dogs of the same MSRC images, so that it may suit the animals a little too "
        "well. On animals a start from `pet` is better at each number of images, and with 10 better than 30 from "
        "scratch; on nuclei, of which it knows nothing, it is worth nothing. With `few` five photos undo part of what "
        "it knew of animals; with `fine-tune`, at a tenth of the rate, they add to it here, though of the photos on "
        "which the rate was chosen one of two seeds lost (docs/notebook.md); nuclei are learnt more slowly. With the "
        "encoder kept, the decoder alone is learnt.",
        few_with_untrained,
        "",
    ),
    (
        "Reading images and training on them",
        "throughput",
        "Images per second, for each way of keeping them (`data.cache`) and of reading them (`train.workers`). The "
        "cache on the device is made for GPUs; here the device is the {device}.",
        throughput_markdown,
        "",
    ),
    (
        "On a device: how long",
        "latency",
        "Networks of Table 2 (width 64, two classes) in every form, runtime and precision, in turns, beside the "
        "authors' formulation word for word (with its spatial convolutions). Form `flat rows` is the flat form in "
        "blocks of 4,096 pixels, as onenet.Segmenter runs it. docs/notebook.md says what limits them.",
        latency_markdown,
        "",
    ),
    (
        "On a device: OneNet-X beside U-Net",
        "latency-x",
        "All sizes of OneNet-X and the paper's U-Net (width 64) with its narrow version, two classes, as the section "
        "above; the times are to be compared within this table.",
        latency_markdown,
        "",
    ),
    (
        "On a device: what trained networks lose in INT8",
        "int8-pet",
        "The networks of the study of pets above (width 16), exported with `onenet export --to onnx,int8`.",
        latency_markdown,
        "",
    ),
    (
        "On a device: onenet-ed-4 at full width, trained",
        "int8-nuclei",
        "onenet-ed-4 of width 64, trained for 30 epochs on windows of the nuclei at their own scale.",
        latency_markdown,
        "",
    ),
    (
        "On a device: unet-4, onenet-e-4 and mobilenet-unet-4 at full width, trained",
        "int8-nuclei-full",
        "Width 64, trained on windows of 128 pixels of the nuclei at their own scale (16 epochs, mobilenet-unet-4 8, "
        "as two cores allowed: the scores are not for comparing networks), exported with `onenet export --to "
        "onnx,int8`; mobilenet-unet-4 keeps its first layer in float.",
        latency_markdown,
        "",
    ),
    (
        "On a device: a volume",
        "volume-times",
        "A heart of {shape} voxels (MSD) on two threads, as `onenet predict` segments it: a process of its own, from "
        "the NIfTI file to that of the mask; and the network's share of that time, within one process. Full width, "
        "trained for 3 short epochs, in one thread beside other work; the last column is of the third, for which "
        "slices have been kept. The files were written before joins became sums.",
        volume_table,
        "",
    ),
    (
        "On a device: peak memory in INT8",
        "memory-int8",
        "The whole `onenet predict` process with the flat form of onenet-ed-4 of width 64 (9 MB), from an image's file "
        "to the file of its mask. Whole: as one piece; tiled: as `onenet predict` does it by itself.\n\n"
        "![Peak memory against the size of the image](images/memory-int8.svg)",
        peaks_markdown,
        "",
    ),
    ("On a device: peak memory in float", "memory-float", "The same in float (36 MB).", peaks_markdown, ""),
    (
        "On a device: peak memory of U-Net_4",
        "memory-unet",
        "Its footprint is 96 pixels to each side, so that its tiles overlap; width 64, float, 124 MB of weights.",
        peaks_markdown,
        "",
    ),
    (
        "On a device: what each rewrite is worth",
        "rewrites",
        "`conv` is the convolution form as it is exported. In the rows below it one rewrite is left out, but for "
        "`sums instead of concatenations`, where kernels larger than a pixel are summed, too, which was not taken; "
        "`plain` has none of them, `flat` is onenet-ed's other form. Grouped convolutions, of one channel to several, "
        "are those that enlarge OneNet-X's logits; for INT8 they are written as depthwise ones.",
        rewrites_markdown,
        "",
    ),
    (
        "The demo",
        "demo",
        "What `make demo` reaches on the {scored} packaged images that it does not train on.",
        demo_markdown,
        "",
    ),
)
