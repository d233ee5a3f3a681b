"""`python -m blockbyblock`, and what torchrun starts: `torchrun --nproc-per-node 2 -m blockbyblock train`."""

import sys

from blockbyblock.cli import main

if __name__ == "__main__":
    sys.exit(main())
