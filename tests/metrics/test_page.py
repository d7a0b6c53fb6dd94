"""The page must be whole, safe and readable whatever the names, the numbers and the images are."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from onenet.card import Card, default_colours
from onenet.errors import OneNetError
from onenet.metrics import curves
from onenet.metrics.page import Strip, write_page
from onenet.metrics.pictures import LONGEST_SIDE
from onenet.metrics.report import Details, Report
from onenet.metrics.tables import DASH, MOST_CLASSES

NAN = float("nan")
HOSTILE = "<script>alert('1')</script>\"&{title}"
VOID = {"meta", "img", "line", "circle", "polyline", "br", "link"}


class Outline(HTMLParser):
    """Reads a page: its tags must nest and close; keeps the tags, their attributes and the text."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def rows(count, **changes):
    """A log of `count` epochs that learns."""
    return [
        {
            "epoch": float(epoch),
            "train_loss": 1 / epoch,
            "learning_rate": 1e-3,
            "val_mean_iou": 1 - 0.5 / epoch,
            "val_foreground_iou": 1 - 0.9 / epoch,
            "val_cross_entropy": 1.2 / epoch,
            "seconds": 2.0,
            **changes,
        }
        for epoch in range(1, count + 1)
    ]


def strip(name="a.png", channels=3, size=(40, 60), score=0.5, ignored=False):
    rng = np.random.default_rng(0)
    truth = np.zeros(size, np.uint8)
    truth[: size[0] // 2, : size[1] // 2] = 1
    if ignored:
        truth[size[0] // 2 :] = 255
    return Strip(name, rng.integers(0, 255, (*size, channels)).astype(np.uint8), truth, np.roll(truth, 3, 1) % 2, score)


@pytest.fixture
def make(tmp_path):
    """Write a page with some parts changed, read it back and check that it is well formed."""

    def write(
        classes=("background", "cat"), matrix=None, background=0, split="test", title="A run", report=None, **parts
    ):
        count = len(classes)
        matrix = np.full((count, count), 7) + 90 * np.eye(count, dtype=np.int64) if matrix is None else matrix
        card = Card(
            "onenet-e-4",
            {"in_channels": 3, "num_classes": count},
            tuple(classes),
            default_colours(count, background),
            background,
            version="1.2.3",
            overlapping=np.ndim(matrix) == 3,
        )
        report = Report("pets", split, 12, tuple(classes), background, np.asarray(matrix), 0.2, **(report or {}))
        parts = {"log": rows(5), "strips": [strip()], **parts}
        path = tmp_path / "report.html"
        write_page(path, title=title, report=report, card=card, **parts)
        page = path.read_text(encoding="utf-8")
        return page, Outline(page)

    return write


def decoded(page):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_tells_the_score_the_images_and_the_version(make):
    _, outline = make(matrix=np.array([[90, 10], [0, 100]]))
    assert "an IoU of 0.909 for cat, on 12 images of pets, split “test”." in outline.text
    assert "made by onenet 1.2.3" in outline.text


def test_without_background_the_score_is_of_all_classes(make):
    _, outline = make(("sky", "cat"), background=None, matrix=np.array([[90, 10], [0, 100]]))
    assert "a mean IoU of 0.905 , on 12 images" in outline.text
    assert "mean without" not in outline.text and "not tinted" not in outline.text


def test_names_and_facts_are_escaped_wherever_they_stand(make):
    page, outline = make(
        ("back" + HOSTILE, HOSTILE, "dog"),
        split=HOSTILE,
        title=HOSTILE,
        strips=[strip(HOSTILE)],
        facts={HOSTILE: HOSTILE},
    )
    assert "<script" not in page and outline.all("script") == []
    allowed = {
        "class",
        "style",
        "title",
        "alt",
        "src",
        "width",
        "height",
        "lang",
        "scope",
        "role",
        "tabindex",
        "colspan",
    }
    allowed |= {
        "charset",
        "name",
        "content",
        "viewbox",
        "points",
        "transform",
        "text-anchor",
        "cx",
        "cy",
        "r",
        "x",
        "y",
    }
    allowed |= {"x1", "x2", "y1", "y2", "aria-label", "aria-hidden"}
    assert {name for _, attributes in outline.tags for name in attributes} <= allowed
    assert HOSTILE in outline.text
    assert any(HOSTILE in image["alt"] for image in outline.all("img"))
    assert any(HOSTILE in cell.get("title", "") for cell in outline.all("td"))


def test_a_file_name_that_is_not_unicode_is_written(make):
    _, outline = make(strips=[strip("caf\udce9.png")])
    assert "caf?.png" in outline.text


def test_nothing_is_loaded_from_outside(make):
    page, outline = make(strips=[strip(str(i), ignored=True) for i in range(5)], facts={"model": "x"})
    assert not re.search(r"https?:|url\(|@import|srcset|<link|<script|<iframe", page)
    sources = [a[key] for _, a in outline.tags for key in ("src", "href") if key in a]
    assert len(sources) == 15 and all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_a_class_that_does_not_occur_is_a_dash_and_the_dash_is_explained(make):
    matrix = np.array([[90, 10, 0], [5, 95, 0], [0, 0, 0]])
    page, outline = make(("background", "cat", "dog"), matrix=matrix)
    row = page.split(">dog</th>")[1].split("</tr>")[0]
    assert row.count(f"<td>{DASH}</td>") == 4  # IoU, Dice, precision, recall
    assert "occurs neither in the truth nor in the predictions" in outline.text
    assert "nan" not in outline.text.lower()


def test_where_every_class_occurs_no_dash_is_explained(make):
    assert "A dash" not in make()[1].text


def test_nothing_measured_is_said(make):
    _, outline = make(matrix=np.zeros((2, 2), np.int64), strips=[], log=[])
    assert "There was nothing to measure on 12 images of pets" in outline.text


def test_the_confusion_matrix_is_in_per_cent_of_the_truth(make):
    page, outline = make(matrix=np.array([[1500, 500], [0, 1000]]))
    assert re.findall(r"--depth[^>]*>([\d.]+)<", page) == ["75.0", "25.0", "0.0", "100.0"]
    assert "500 of 2,000 pixels of background taken for cat" in [cell.get("title") for cell in outline.all("td")]
    assert {cell["scope"] for cell in outline.all("th")} == {"row", "col"}


@pytest.mark.parametrize("count", [MOST_CLASSES, MOST_CLASSES + 1])
def test_the_confusion_matrix_is_shown_as_long_as_it_can_be_read(make, count):
    page, outline = make(["background", *(f"class {i}" for i in range(1, count))])
    assert ('aria-label="Confusion matrix"' in page) == (count == MOST_CLASSES)
    assert ("26 classes are too many" in outline.text) == (count > MOST_CLASSES)


def test_curves_have_axes_a_legend_and_the_best_epoch(make):
    log = rows(10)
    log[6]["val_foreground_iou"] = 0.987
    _, outline = make(log=log)
    assert len(outline.all("svg")) == 2 and len(outline.all("polyline")) == 4
    for words in ("training loss", "validation cross-entropy", "epoch", "without background", "best 0.987, epoch 7"):
        assert words in outline.text


def test_an_empty_log_gives_no_curve(make):
    page, outline = make(log=[])
    assert outline.all("svg") == [] and "How it learned" not in page


def test_a_log_of_one_epoch_gives_points(make):
    _, outline = make(log=rows(1))
    assert outline.all("polyline") == [] and len(outline.all("circle")) == 5  # four figures and the best


def test_nan_in_the_log_is_skipped(make):
    log = rows(6)
    log[2]["train_loss"], log[3]["train_loss"], log[4]["val_mean_iou"] = NAN, math.inf, NAN
    page, outline = make(log=log)
    lengths = [len(line["points"].split()) for line in outline.all("polyline")]
    assert lengths == [4, 6, 6, 5]
    drawings = "".join(re.findall(r"<svg.*?</svg>", page))
    assert not re.search(r"\b(nan|inf)\b", drawings)


def test_a_figure_without_any_number_is_not_drawn(make):
    _, outline = make(log=rows(3, train_loss=NAN, val_cross_entropy=NAN))
    assert len(outline.all("svg")) == 1
    assert make(log=[{"epoch": 1.0}])[1].all("svg") == []


@pytest.mark.parametrize("values", [(0.0, 0.0), (1e-9, 3e-9), (5e6, 1.0), (-4.0, -2.0), (1e300, 1e-300)])
def test_curves_of_any_height_stay_inside_the_frame(values):
    log = [{"epoch": float(i), "loss": value} for i, value in enumerate(values)]
    drawing = curves.draw([curves.read_line("loss", log, "loss")], "loss")
    places = re.search(r'points="([^"]+)"', drawing)[1].split()
    for x, y in (place.split(",") for place in places):
        assert curves.LEFT <= float(x) <= curves.RIGHT and curves.TOP <= float(y) <= curves.BOTTOM


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 23, [0, 5, 10, 15, 20]), (0, 2, [0, 1, 2])]
)
def test_ticks_are_round(low, high, expected):
    assert curves.tick_values(float(low), float(high), 5, whole=high > 1) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "headings"), [(0, []), (3, []), (4, ["Best", "Worst"]), (7, ["Best", "Worst"])])
def test_strips_are_split_in_the_middle(make, count, headings):
    page, outline = make(strips=[strip(f"image-{i}", score=1 - i / 10) for i in range(count)], log=[])
    assert re.findall(r"<h3>(.*?)</h3>", page) == headings
    assert len(outline.all("img")) == 3 * count
    if headings:
        worst = page.index("<h3>Worst</h3>")
        first = (count + 1) // 2
        assert page.index(f">image-{first - 1}<") < worst < page.index(f">image-{first}<")
        assert page.index(">image-0<") < page.index(f">image-{count - 1}<")


def test_a_strip_without_a_score_shows_a_dash(make):
    assert f"IoU {DASH}" in make(strips=[strip(score=NAN)])[1].text


@pytest.mark.parametrize("background", [0, None])
def test_pixels_that_are_not_counted_are_hatched_in_the_truth_only(make, background):
    page, outline = make(strips=[strip(ignored=True)], background=background)
    _, truth, prediction = (picture.astype(int) for picture in decoded(page))
    below = truth[24:]  # hatching is grey and has two tones
    assert np.ptp(below, axis=2).max() < 12 and below.min() < 135 < 210 < below.max()
    assert np.ptp(prediction[24:], axis=2).max() > 30
    assert "not counted" in outline.text
    assert "not counted" not in make(strips=[strip()])[1].text


def test_a_grey_image_stays_grey_and_its_masks_are_coloured(make):
    image, truth, prediction = decoded(make(strips=[strip(channels=1)])[0])
    assert image.shape == (40, 60)
    assert truth.shape == prediction.shape == (40, 60, 3)


@pytest.mark.parametrize("size", [(2000, 500), (500, 2000), (1, 900), (3, 2)])
def test_pictures_are_small(make, size):
    for picture in decoded(make(strips=[strip(size=size)])[0]):
        assert max(picture.shape[:2]) == min(max(size), LONGEST_SIDE)


def test_pictures_say_what_they_show(make):
    _, outline = make(strips=[strip()])
    spoken = [image["alt"] for image in outline.all("img")]
    assert spoken[0] == "a.png, the image"
    assert spoken[1] == "a.png, truth: background 75.0\u00a0%, cat 25.0\u00a0%"
    assert outline.all("html") == [{"lang": "en"}]


def test_what_is_not_given_leaves_no_empty_section(make):
    page, _ = make(strips=[], log=[], facts={})
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Class by class", "In single figures", "What is taken for what"]


def test_facts_are_a_definition_list(make):
    page, _ = make(facts={"trained in": "3 min 10 s"})
    assert "<dt>trained in</dt><dd>3 min 10 s</dd>" in page


def test_a_page_that_cannot_be_written_is_an_error_of_ours(make, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OneNetError, match=r"report\.html"):
        make()


def test_the_same_run_gives_the_same_page(make):
    assert make()[0] == make()[0]


# --- details, hints, the authors' figures

DETAILS = Details(0.0625, np.array([0.5, 0.25]), np.array([NAN, 0.75]), {"mean_iou": (0.5, 0.625)})


def test_every_figure_is_on_the_page_with_its_name(make):
    _, outline = make(report={"details": DETAILS, "weighted_cross_entropy": 0.375})
    for words in (
        "precision", "recall", "boundary F", "AP at IoU 0.5", "pixel accuracy", "cross-entropy, unweighted 0.200",
        "cross-entropy, weighted as trained 0.375", "calibration error 0.062",
        "0.500 to 0.625: 95\u00a0% confidence interval over images",
    ):  # fmt: skip
        assert words.replace("\u00a0", " ") in outline.text.replace("\u00a0", " "), words


def test_the_row_of_a_class_has_its_scores_in_the_order_of_the_heads(make):
    page, _ = make(matrix=np.array([[90, 10], [20, 80]]), report={"details": DETAILS})
    heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page.split("</thead>")[0])
    assert heads == ["class", "pixels", "IoU", "Dice", "precision", "recall", "boundary F", "AP at IoU 0.5"]
    row = page.split("cat</th>")[1].split("</tr>")[0]
    scores = [80 / 110, 160 / 190, 80 / 90, 80 / 100, 0.25, 0.75]
    assert re.findall(r"<td>(0\.\d+)</td>", row) == [f"{score:.3f}" for score in scores]


def test_what_was_not_measured_is_not_on_the_page(make):
    _, outline = make()
    for words in ("boundary F", "AP at", "calibration", "weighted as trained", "confidence interval", "Authors'"):
        assert words not in outline.text, words


def test_hints_stand_at_the_top(make):
    page, _ = make(matrix=np.array([[1, 99], [80, 2]]))
    assert page.index("labels may be swapped or shifted") < page.index("<section>")
    assert "Worth a look" not in make()[1].text
    assert "<script" not in make(("background", HOSTILE), matrix=np.array([[1, 99], [80, 2]]))[0]


def test_the_authors_figures_have_a_section_that_says_what_they_are_not(make):
    _, outline = make(report={"authors": {"authors' mIOU": 0.9, "authors' DSC": 1.38}})
    assert "authors' mIOU 0.900 authors' DSC 1.380" in outline.text
    assert "They are not IoU, Dice or average precision" in outline.text


# --- classes that overlap, deep images

DECISIONS = np.array([[[50, 10], [5, 35]], [[90, 0], [10, 0]]])


def test_overlapping_classes_are_drawn_over_one_another(make):
    image, code = np.zeros((30, 60, 3), np.uint8), np.zeros((30, 60), np.uint8)
    code[:, 20:] = 1
    code[:, 40:] = 3
    code[25:] = 255
    page, outline = make(
        ("a", "b"), DECISIONS, None, strips=[Strip("x", image, code, np.where(code == 255, 0, code), 0.5)]
    )
    _, truth, _ = (picture.astype(int) for picture in decoded(page))
    first, second = default_colours(2, None)
    assert np.abs(truth[10, 8]).max() < 12  # neither: the image as it is
    np.testing.assert_allclose(truth[10, 30], 0.45 * np.array(first), atol=12)
    np.testing.assert_allclose(truth[10, 52], 0.55 * 0.45 * np.array(first) + 0.45 * np.array(second), atol=12)
    assert np.ptp(truth[27:, :15], axis=2).max() < 12 and truth[27:].min() > 80  # hatched
    assert "x, truth: a 66.7 %, b 33.3 %" in outline.all("img")[1]["alt"].replace("\u00a0", " ")


def test_overlapping_classes_have_a_table_of_decisions(make):
    page, outline = make(("a", "b"), DECISIONS, None)
    assert re.findall(r"--depth[^>]*>([\d.]+)<", page) == [
        "87.5",
        "12.5",
        "16.7",
        "83.3",
        "0.0",
        "100.0",
        "0.0",
        "100.0",
    ]
    assert "5 of 40 pixels with a predicted without it" in [cell.get("title") for cell in outline.all("td")]
    assert "right decisions" in outline.text and "binary cross-entropy 0.200" in outline.text
    assert "pixel accuracy" not in outline.text and "nan" not in outline.text.lower()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_any_depth_and_channels_are_shown(make, channels, dtype):
    part = strip(channels=channels)
    image = part.image if dtype == np.uint8 else (part.image / 255).astype(np.float32)
    pictures = decoded(make(strips=[Strip("x", image, part.truth, part.prediction, 0.5)])[0])
    assert pictures[0].shape == ((40, 60, 3) if channels >= 3 else (40, 60))
    expected = part.image[..., :3] if channels >= 3 else part.image[..., 0]
    assert np.abs(pictures[0].mean() - expected.mean()) < 4
