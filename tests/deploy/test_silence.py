import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest

from onenet.deploy.silence import silent, silent_commands


def speak(word):
    """By every way that libraries know."""
    print(word)
    print(word, file=sys.stderr)
    os.write(2, word.encode())
    logging.getLogger("some.library").warning(word)
    warnings.warn(word, stacklevel=1)


def test_nothing_is_heard_meanwhile_and_all_of_it_afterwards(capfd):
    with silent_commands():
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


def test_of_several_threads_the_last_one_restores_what_was(capfd):
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with silent():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second():
        first_in.wait(10)
        with silent():
            second_in.set()
            first_out.wait(10)
            os.write(2, b"meanwhile")
            print("a result of another thread")

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    speak_of = logging.root.manager.disable
    os.write(2, b"afterwards")
    heard = capfd.readouterr()
    assert (heard.out, heard.err, speak_of) == ("a result of another thread\n", "afterwards", 0)


def test_a_closed_standard_error_is_no_error():
    code = "import os; os.close(2); from onenet.deploy.silence import silent\nwith silent(): print('heard')"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n")
