"""What spark-submit starts on a cluster: the job of `search`, with the arguments it is given."""

import sys

from search.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
