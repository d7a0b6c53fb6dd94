"""The command line: one file per verb; each parses, calls and prints. Heavy imports wait until a verb runs.

Exit codes: 0 good, 1 a measurement failed, 2 bad input.
"""

import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve each other on a busy machine


def main() -> None:
    """Run the command line; what a user can put right is one line on standard error and exit code 2."""
    from onenet.cli.app import app
    from onenet.errors import OneNetError

    try:
        app()
    except OneNetError as error:
        fail(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        fail("stopped")
        sys.exit(130)
    except BrokenPipeError:  # `onenet ... | head`
        sys.stderr.close()
        sys.exit(1)


def fail(message: str) -> None:
    """Print one line that begins with "error:"."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
