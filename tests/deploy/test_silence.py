import logging
import os
import sys
import warnings

import pytest

from onenet.deploy.silence import silent


def speak(word):
    """By every way that libraries know."""
    print(word)
    print(word, file=sys.stderr)
    os.write(2, word.encode())
    logging.getLogger("some.library").warning(word)
    warnings.warn(word, stacklevel=1)


def test_nothing_is_heard_meanwhile_and_all_of_it_afterwards(capfd):
    with silent():
        speak("meanwhile")
    with pytest.warns(UserWarning, match="afterwards"):
        speak("afterwards")
    heard = capfd.readouterr()
    assert "meanwhile" not in heard.out + heard.err
    assert heard.out == "afterwards\n" and heard.err.count("afterwards") >= 2


def test_errors_are_raised_and_what_was_is_restored(capfd):
    before = logging.root.manager.disable
    with pytest.raises(KeyError), silent():
        raise KeyError("wrong")
    assert logging.root.manager.disable == before
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
