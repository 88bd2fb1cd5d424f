"""``python -m tests.bench [NAME …]``: run all benchmarks, or those named."""

import sys

from tests.bench import checking, delivering, fairness, idle, sending, signup, widget

BENCHMARKS = {
    "signup": signup.run,
    "checking": checking.run,
    "sending": sending.run,
    "delivering": delivering.run,
    "fairness": fairness.run,
    "idle": idle.run,
    "widget": widget.run,
}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(
            f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}"
        )
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


main(sys.argv[1:])
