#!/usr/bin/env python3
"""Kills a training run at random moments and resumes it until it is done, again and again:

    python3 tools/kill_resume.py [ROUNDS] [--program build/lull] [--seed N]

A round is one SIGKILL: a run of a tiny network is begun (or resumed after the last round's kill) and killed after a random
time; a run that ends by itself is compared with the run that was never killed, and a new one is begun. model.safetensors,
log.jsonl and the last checkpoint must be the same, byte for byte. The last line is "N kills, N resumed to the end, all
equal"; the exit code is 1 when one was not."""
import argparse, json, os, random, shutil, subprocess, sys, tempfile, time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "tests", "failure"))
os.environ.setdefault("LULL_PROGRAM", "lull")
os.environ.setdefault("FAILURE_SHIM", "")
import writes  # noqa: E402  (recordings and the configuration)

STEPS = 40


def lasting(run):
    kept = {}
    for name in ("model.safetensors", "log.jsonl", "checkpoints/%07d.safetensors" % STEPS):
        with open(os.path.join(run, name), "rb") as file:
            kept[name] = file.read()
    return kept


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=20)
    parser.add_argument("--program", default=os.environ["LULL_PROGRAM"])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    program = os.path.abspath(asked.program) if os.sep in asked.program else asked.program
    dice = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "corpus"))
        for i in range(3):
            writes.wav(os.path.join(folder, "corpus", "%d.wav" % i), 1 + 0.3 * i)
        with open(os.path.join(folder, "tiny.json"), "w") as file:
            json.dump(writes.CONFIGURATION, file)
        begin = [program, "train", "-q", "corpus", "--config", "tiny.json", "--batch", "1", "--crop-frames", "16", "--samples",
                 "1", "--eval-every", "10", "-t", "1", "--checkpoint-every", "2", "--max-steps", str(STEPS), "-o"]
        started = time.monotonic()
        subprocess.run(begin + ["whole"], cwd=folder, check=True)
        length = time.monotonic() - started
        right = lasting(os.path.join(folder, "whole"))
        run = os.path.join(folder, "run")
        kills = ended = 0
        moments = {"before the first checkpoint": 0, "later": 0}
        while kills < asked.rounds or os.path.exists(run):
            # A run that was killed before there was anything to resume is begun anew.
            resumes = os.path.exists(os.path.join(run, "checkpoints")) and any(
                name.endswith(".safetensors") for name in os.listdir(os.path.join(run, "checkpoints")))
            if not resumes:
                shutil.rmtree(run, ignore_errors=True)
            words = [program, "train", "-q", "--resume", "run"] if resumes else begin + ["run"]
            child = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE)
            try:
                patience = length * dice.random() * 1.2 if kills < asked.rounds else 600
                _, said = child.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                kills += 1
                moments["later" if resumes else "before the first checkpoint"] += 1
                continue
            if child.returncode:
                print("FAILED after %d kills: exit code %d: %s" % (kills, child.returncode, said.decode()))
                return 1
            now = lasting(run)
            for name in right:
                if now[name] != right[name]:
                    print("FAILED after %d kills: %s is not that of the run that was never killed" % (kills, name))
                    return 1
            ended += 1
            shutil.rmtree(run)
        print("kills of a run that was begun: %(before the first checkpoint)d, of a resumed one: %(later)d" % moments)
        print("%d kills, %d runs resumed to the end, all equal" % (kills, ended))
    return 0


if __name__ == "__main__":
    sys.exit(main())
