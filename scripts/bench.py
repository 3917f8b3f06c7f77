#!/usr/bin/env python3
"""Time dreams; what there is to time, and how, stands in `scripts/bench/README.md`.

scripts/bench.py                          everything, about half an hour
scripts/bench.py --baseline REVISION      the working tree beside an earlier revision
scripts/bench.py --quick                  a smoke test, seconds
"""

import sys

from bench.run import main  # the folder beside this file

if __name__ == "__main__":
    sys.exit(main())
