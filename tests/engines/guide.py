"""Runs the recipes of docs/guide/engines.md, in their order and in one folder, and wants what stands below each of them printed.

A block ```console has commands after `$ `, run by bash with the program on the path; ```python is run by this Python; a block ```text
right after it is what it prints. A word after the language names what the block needs: spark or kafka. localhost:29092 stands for the
broker.
usage: guide.py NEED        "" for the blocks that need nothing, spark for those and Spark's, kafka for Kafka's alone
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = ROOT / "docs/guide/engines.md"


def blocks():
    """Language, engine, line number, text, and the output that is shown."""
    lines = GUIDE.read_text().splitlines()
    found, at = [], 0
    while at < len(lines):
        fence = re.match(r"^```(\w+) ?(.*)$", lines[at])
        at += 1
        if fence:
            end = lines.index("```", at)
            text = "".join(line + "\n" for line in lines[at:end])
            if fence[1] == "text" and found and found[-1]["end"] == at - 2:
                found[-1]["output"] = text
            else:
                found.append({"language": fence[1], "needs": fence[2], "line": at, "text": text, "output": "", "end": end})
            at = end + 1
    return found


def run(block, folder):
    text = block["text"].replace("localhost:29092", os.environ.get("KAFKA_BOOTSTRAP", "localhost:29092"))
    if block["language"] == "console":
        command = ["bash", "-euc", "\n".join(line.removeprefix("$ ") for line in text.splitlines())]
    else:
        command = [sys.executable, "-c", text]
    program = pathlib.Path(os.environ["MOCK_DATA_GEN"]).resolve().parent
    # Not UTC, so that nothing is right by luck.
    env = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "TZ": "America/New_York", "PYTHONHASHSEED": "0"}
    begin = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode or done.stdout != block["output"]:
        print(f"{GUIDE.relative_to(ROOT)}:{block['line']}: ends with {done.returncode}\n{done.stderr[-3000:]}", file=sys.stderr)
        changes = difflib.unified_diff(block["output"].splitlines(), done.stdout.splitlines(), "the guide", "printed", lineterm="")
        print(*changes, sep="\n", file=sys.stderr)
        return False
    print(f"{GUIDE.relative_to(ROOT)}:{block['line']}: as shown, {time.monotonic() - begin:.1f} s")
    return True


def is_chosen(block, needs):
    makes_files = block["language"] == "console" and needs == "spark"
    return block["language"] in ("console", "python") and (block["needs"] == needs or (makes_files and not block["needs"]))


def main():
    needs = sys.argv[1]
    chosen = [block for block in blocks() if is_chosen(block, needs)]
    assert any(block["language"] == "python" for block in chosen), f"the guide has no recipe that needs {needs!r}"
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(ROOT / "tests", f"{folder}/tests")
        results = [run(block, folder) for block in chosen]
    sys.exit(not all(results))


main()
