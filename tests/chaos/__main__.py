"""`python -m tests.chaos kills --count 200`: kill recording processes, and judge what they leave."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.chaos.daemon_kills import daemon_kills
from tests.chaos.kills import Kill, kills


def _tell(kill: Kill) -> None:
    for problem in kill.problems:
        print(f"seed {kill.seed}, while {kill.stage}: {problem}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("kills", help="kill -9 at random moments")
    command.add_argument("--count", type=int, default=200, help="how many meetings lose their process")
    command.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    command.add_argument("--at-once", type=int, default=4)
    command.add_argument(
        "--daemon", action="store_true", help="kill whole daemons, with simulated meetings, not recorders"
    )
    chosen = parser.parse_args()
    work = daemon_kills if chosen.daemon else kills
    done = work(chosen.count, seed=chosen.seed, at_once=chosen.at_once, tell=_tell)
    stages = Counter(kill.stage for kill in done)
    bad = [kill for kill in done if kill.problems]
    lost = sorted(kill.lost_ms for kill in done)
    print(
        f"{len(done)} kills ({', '.join(f'{number} {stage}' for stage, number in stages.most_common())}): "
        f"{len(bad)} bad. Lost of what had been handed over: at most {lost[-1]} ms, {lost[len(lost) // 2]} ms in the middle."
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
