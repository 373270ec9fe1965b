"""A bundle is the program again, or one sentence."""

import os
import subprocess
import sys

import msgspec
import pytest
from kernel.programs import compiled

from flowc.runtime.bundle import FORMAT, BundleError, digest, from_bytes, to_bytes

HEAD = 48


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return to_bytes(compiled("calling"))


def test_a_bundle_holds_the_program(bundle: bytes) -> None:
    assert from_bytes(bundle) == compiled("calling")
    assert to_bytes(from_bytes(bundle)) == bundle


def test_any_changed_byte_is_noticed(bundle: bytes) -> None:
    for place in (*range(HEAD), *range(HEAD, len(bundle), len(bundle) // 50), len(bundle) - 1):
        changed = bundle[:place] + bytes([bundle[place] ^ 0x41]) + bundle[place + 1 :]
        with pytest.raises(BundleError):
            from_bytes(changed)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda bundle: bundle[:-1], "the bundle is cut off; copy or build it again"),
        (lambda bundle: bundle[:20], "the bundle is cut off; copy or build it again"),
        (lambda bundle: bundle[:6], "the bundle is cut off; copy or build it again"),
        (lambda bundle: bundle + b"x", "the bundle was changed after it was built; copy or build it again"),
        (lambda bundle: b"PK" + bundle, "this is not a flowc bundle; build one with `flowc build`"),
        (lambda bundle: b"", "this is not a flowc bundle; build one with `flowc build`"),
        (
            lambda bundle: bundle[:6] + (FORMAT + 1).to_bytes(2, "big") + bundle[8:],
            f"the bundle has format {FORMAT + 1}, and this flowc reads up to {FORMAT}; run it with a newer flowc",
        ),
        (
            lambda bundle: bundle[:6] + bytes(2) + bundle[8:],
            "the bundle has format 0, and this flowc reads from 1; build it again",
        ),
    ],
)
def test_what_is_no_bundle_is_refused_with_one_sentence(bundle: bytes, change: object, sentence: str) -> None:
    assert callable(change)
    with pytest.raises(BundleError) as caught:
        from_bytes(change(bundle))
    assert str(caught.value) == sentence


def test_a_sealed_file_that_holds_no_program_is_refused() -> None:
    from flowc.runtime import bundle as module

    content = msgspec.msgpack.encode({"bot": 1})
    head = module._HEAD.pack(module._MAGIC, FORMAT, len(content), module._seal(FORMAT, content))
    with pytest.raises(BundleError, match="does not hold a program"):
        from_bytes(head + content)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_bytes_do_not_depend_on_the_hash_seed(bundle: bytes, seed: str) -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests'); from kernel.programs import compiled;"
        "from flowc.runtime.bundle import digest, to_bytes; print(digest(to_bytes(compiled('calling'))))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(bundle)
