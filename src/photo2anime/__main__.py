"""python -m photo2anime."""

import sys

from photo2anime.cli import main

sys.exit(main())
