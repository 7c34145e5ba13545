import subprocess
import sys

CODE = """
import sys, resource
from producer_api.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
blocks = [bytearray(2 << 20)]
blocks.clear()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    block = b"x" * (2 << 20)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, timeout=30, check=True)
    return int(done.stdout)


def test_freed_blocks_are_used_again_without_page_faults():
    assert faults("keep") < faults("default") / 5
