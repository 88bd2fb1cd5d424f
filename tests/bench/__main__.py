"""``python -m tests.bench [NAME …]``: run all benchmarks, or those named."""

import sys

from tests.bench import idle, sending, signup

BENCHMARKS = {"signup": signup.run, "sending": sending.run, "idle": idle.run}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(
            f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}"
        )
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


main(sys.argv[1:])
