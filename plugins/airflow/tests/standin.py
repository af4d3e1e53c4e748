"""Stands in for ``python -m stackyard.step``: keeps its contract, does what the test planned.

Called as ``standin -m stackyard.step NAME``. The parameter ``plan`` maps a step to what each of its
tries does: ok, fail, wrong, skip, chatter or sleep. Each call is written to the folder CALLS.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

name = sys.argv[3].lstrip("-")
env = {k: v for k, v in os.environ.items() if k.startswith(("STACKYARD_", "LITERAL"))}
number = int(env["STACKYARD_TRY"])
run = env["STACKYARD_RUN"]
call = {"step": name, "env": env, "pid": os.getpid(), "start": time.time(), "signal": None}
safe_run = run.replace(":", "-").replace("+", "-")
file = os.path.join(os.environ["CALLS"], f"{safe_run}@{name}@{number}")


def write() -> None:
    """Write down what is known of this call."""
    call["end"] = time.time()
    with open(file + ".tmp", "w") as out:
        json.dump(call, out)
    os.replace(file + ".tmp", file)


def stopped(signum: int, frame: object) -> None:
    """As the real one: leave a note and go."""
    call["signal"] = signum
    write()
    os._exit(1)


signal.signal(signal.SIGTERM, stopped)
write()
plan = json.loads(env["STACKYARD_PARAMS"]).get("plan") or {}
tries = plan.get(name, ["ok"])
what = tries[min(number, len(tries)) - 1]
print(f"{name}: {what}", file=sys.stderr, flush=True)
if what == "sleep":
    time.sleep(60)
elif what == "nap":
    time.sleep(1)
elif what == "fail":
    sys.exit(f"ValueError: {name} cannot, try {number}")
elif what == "wrong":
    print(f"error: {name} is configured wrongly", file=sys.stderr, flush=True)
    sys.exit(2)
elif what == "skip":
    sys.exit(99)
write()
if what == "chatter":
    print("{'no': 'reference'}")
elif name == "finish":
    print(json.dumps({"run": run, "status": "succeeded"}))
else:
    print(json.dumps({"run": run, "step": name, "attempt": number, "outputs": {"result": "ab12"}}))
