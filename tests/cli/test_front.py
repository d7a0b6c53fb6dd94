"""The front door of the command line: help, version, and what happens to a word that it does not know."""

import signal

import pytest

import onenet

VERBS = ("train", "evaluate", "predict", "demo", "convert", "list", "study", "bench")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_verb(onenet_command, flag):
    done = onenet_command(flag)
    assert done.code == 0 and done.err == ""
    for verb in VERBS:
        assert f"\n  {verb} " in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(onenet_command, verb):
    done = onenet_command(verb, "--help")
    assert done.code == 0
    assert f"onenet {verb}" in done.out


def test_version(onenet_command):
    done = onenet_command("--version")
    assert (done.code, done.out) == (0, f"{onenet.__version__}\n")


def test_nothing_at_all_shows_the_help(onenet_command):
    done = onenet_command()
    assert "predict" in done.out + done.err
    assert done.code in (0, 2)


def test_an_unknown_verb_is_answered_with_the_nearest(onenet_command):
    assert "'predict'" in onenet_command("predikt").error


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["predict", "model", "photo.jpg", "--sav", "mask"], "--save"),
        (["predict"], "model"),
        (["predict", "model"], "input"),
        (["evaluate"], "model"),
        (["convert", "a.pth"], "target"),
        (["bench", "table3"], "table3"),
        (["bench", "train", "--batch", "0"], "--batch"),
        (["predict", "model", "photo.jpg", "--threads", "many"], "--threads"),
    ],
)
def test_a_wrong_use_is_one_line_that_names_the_word(onenet_command, words, named):
    assert named in onenet_command(*words).error.lower()


def test_stopped_by_hand_is_no_traceback(onenet_command, monkeypatch):
    from onenet.cli import listing

    def stop(what):
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "_lines", stop)
    done = onenet_command("list", "recipes")
    assert (done.code, done.err) == (130, "error: stopped\n")


def test_stopped_by_the_system_is_no_traceback_and_leaves_no_part_of_a_file(onenet_command, monkeypatch, tmp_path):
    from onenet.cli import listing
    from onenet.images import atomic_write

    monkeypatch.setattr("onenet.cli.signal.getsignal", lambda number: signal.SIG_DFL)
    before = signal.getsignal(signal.SIGTERM)

    def stop(what):
        with atomic_write(tmp_path / "half.png"):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(listing, "_lines", stop)
    try:
        done = onenet_command("list", "recipes")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (done.code, done.err) == (130, "error: stopped\n")
    assert not list(tmp_path.glob("*half*")) and not list(tmp_path.glob(".*"))
