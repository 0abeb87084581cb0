"""`python -m avterm`, which is also what `torchrun -m avterm` starts."""

from avterm.cli.main import main

if __name__ == "__main__":
    main()
