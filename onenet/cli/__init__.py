"""The command line: one file per verb; each parses, calls and prints. Heavy imports wait until a verb runs.

Exit codes: 0 good, 1 a measurement failed, 2 bad input.
"""

import os
import signal
import sys
import threading

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve each other on a busy machine

# What a verb may miss -> the extra that brings it.
EXTRAS = {
    "torch": "train", "lightning_fabric": "train", "jaxtyping": "train", "scipy": "scores", "onnx": "export",
    "onnxscript": "export", "onnxruntime": "deploy", "openvino": "openvino", "pyvips": "large",
    "nibabel": "medical", "pydicom": "medical", "SimpleITK": "medical", "highdicom": "medical",
}  # fmt: skip


def main() -> None:
    """Run the command line; what a user can put right is one line on standard error and exit code 2."""
    import typer

    from onenet.cli.app import app
    from onenet.errors import FailedCheckError, OneNetError

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as ctrl-c: what is half-written is cleared away
    usage_error: type[BaseException] = typer.BadParameter.__mro__[2]  # click's ClickException
    try:
        code = app(standalone_mode=False)
        if code == 130:  # ctrl-c, which typer has caught
            fail("stopped")
    except FailedCheckError as error:
        fail(str(error))
        code = 1
    except OneNetError as error:
        code = fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        code = fail(f"this needs {error.name}, which is not installed: pip install 'onenet-seg[{EXTRAS[error.name]}]'")
    except usage_error as error:
        context = getattr(error, "ctx", None)
        verbs = context.command_path.split()[1:] if context else []
        code = _refuse_usage(error.format_message(), " ".join(["onenet", *verbs]))  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        fail("stopped")
        code = 130
    except BrokenPipeError:  # `onenet ... | head`
        sys.stderr.close()
        code = 1
    sys.exit(code)


def _refuse_usage(message: str, command: str) -> int:
    if message.startswith("Usage:"):  # no verb was given: show what there is
        print(message)
        return 2
    return fail(f"{message} (see {command} --help)")


def fail(message: str) -> int:
    """Print one line that begins with "error:" and return the exit code for bad input."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2
