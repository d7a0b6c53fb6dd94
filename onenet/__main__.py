"""`python -m onenet` is the command `onenet`."""

from onenet.cli import main

if __name__ == "__main__":
    main()
