"""One contestant of `scripts/bench.py`, in a process of its own.

    worker.py CONTESTANT JOB      JOB: a JSON object, see `Bench.job` in scripts/bench/run.py

It answers with a line of JSON on standard output for each line on standard input, and does nothing
in between: as long as it waits, another contestant is at work. What the job asks for:

* ``"task": "steps"``: load the net and take steps. A line ``step`` asks for a turn; the answer has
  its ``seconds`` and how many ``cores`` were busy. Any other line, or none, ends it.
* ``"task": "dream"``: load the net, dream, write the picture, and say how long it took.
* ``"task": "start"``: the same until the first step is done, with the seconds since the process was
  started until the modules were there (``imports``), the net (``loaded``), the step (``first``).
* ``"task": "prepare"``: write the weights and the arithmetic of pictures' sizes (`Prepare`).

It may run in the environment of `scripts/install_caffe.sh` or of another revision, so this file
needs numpy and the standard library only, and nothing newer than Python 3.9.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

sys.path[0] = os.path.dirname(sys.path[0])  # noqa: PTH120 (the folder of this folder)

import numpy as np  # noqa: E402

from bench.contestants import CONTESTANTS, Ours, peak_memory  # noqa: E402

# A turn of a step below this many seconds is two steps, and the second counts: the first one finds
# caches that another contestant has filled, and its own threads asleep.
SHORT = 0.3

SETTLE = 0.06  # seconds in which the threads of a library stop spinning after a turn


class Line:
    """Answers on what was standard output; what libraries print goes to standard error."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **answer):
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()

    def listen(self):
        return sys.stdin.readline().strip()


def read_picture(path):
    """Return an image file as (h, w, 3) float32 RGB."""
    from PIL import Image

    return np.float32(Image.open(path).convert("RGB"))


def write_picture(path, pixels):
    """Write (h, w, 3) RGB as the notebook does."""
    from PIL import Image

    Image.fromarray(np.uint8(np.clip(pixels, 0, 255))).save(path)


class Prepare(Ours):
    """Write seeded weights where Caffe can read them, too, and say what the net is made of."""

    def load(self, job):
        from bench.arithmetic import convolution_flop, needed_layers
        from deepdream.running.fillers import seed_weights
        from deepdream.running.net import Net

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = Net(job["prototxt"], 1, force_backward=True, param_diffs=False)
        seed_weights(net)
        net.save(job["caffemodel"])
        self.answer = {
            "types": sorted({net.layers[i].type for i in needed_layers(net, job["end"])}),
            "flop": [2 * convolution_flop(net, job["end"], h, w) for w, h in job["sizes"]],
            **self.facts(),
        }


def take_steps(contestant, line, job):
    """Take a turn of steps at each request."""
    img = read_picture(job["picture"])
    idle_from = turn_from = busy_from = 0.0
    second = False

    def tick(seconds=None):
        nonlocal idle_from, turn_from, busy_from, second
        contestant.synchronize()
        now, used = time.perf_counter(), time.process_time()
        took = now - turn_from if seconds is None else seconds
        if seconds is None and took < SHORT and not second:
            second, turn_from, busy_from = True, time.perf_counter(), used
            return True
        cores = (used - busy_from) / (now - turn_from)
        time.sleep(SETTLE)
        idle_from = time.process_time()
        line.say(seconds=took, cores=cores, peak=peak_memory())
        if line.listen() != "step":
            return False
        busy_from = time.process_time()
        idle[0] += busy_from - idle_from
        second, turn_from = False, time.perf_counter()
        return True

    idle = [0.0]
    busy_from, turn_from = time.process_time(), time.perf_counter()
    contestant.steps(img, tick)
    line.say(idle=idle[0])


def check_step(contestant, job):
    """Write what one step without jitter and clipping adds to the picture."""
    img = read_picture(job["picture"])
    after = contestant.steps(img, lambda *seconds: False, jitter=0, clip=False)
    if after is not None:
        np.save(job["check"], np.float32(np.asarray(after) - img))


def take_dream(contestant, line, job):
    """Dream, several times where asked; the last one counts."""
    img = read_picture(job["picture"])
    for _ in range(1 + job["warm"]):
        start = time.perf_counter()
        out = contestant.dream(img, lambda: None)
        contestant.synchronize()
        seconds = time.perf_counter() - start
    write_picture(job["output"], np.asarray(out))
    line.say(seconds=seconds, peak=peak_memory())


def take_first_step(contestant, line, job):
    """Dream until the first step is done."""
    loaded, first = time.time(), []

    def tick():
        first.append(time.time())
        return False

    contestant.dream(read_picture(job["picture"]), tick)
    times = {"imports": contestant.imported, "loaded": loaded, "first": first[0]}
    line.say(
        **{name: at - job["began"] for name, at in times.items()},
        peak=peak_memory(),
        facts=contestant.facts(),
    )


def main():
    line, job = Line(), json.loads(sys.argv[2])
    np.random.seed(0)
    warnings.simplefilter("ignore")
    try:
        if job["task"] == "prepare":
            line.say(**Prepare(job).answer)
            return
        contestant = CONTESTANTS[sys.argv[1]](job)
        if job["task"] == "dream":
            take_dream(contestant, line, job)
        elif job["task"] == "start":
            take_first_step(contestant, line, job)
        else:
            check_step(contestant, job)
            line.say(ready=True, **contestant.facts())
            if line.listen() == "step":
                take_steps(contestant, line, job)
    except Exception as error:
        line.say(error=str(error).splitlines()[0] if str(error) else type(error).__name__)


if __name__ == "__main__":
    main()
