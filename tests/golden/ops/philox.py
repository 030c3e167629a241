"""Philox 4x32-10 written anew, for the goldens of random ops."""

MASK = (1 << 32) - 1


def philox(seed, stream, at):
    c = [at & MASK, at >> 32, stream & MASK, stream >> 32]
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32) ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def bits53(high, low):
    return (high << 21) ^ (low >> 11)


def u53(seed, stream, at):
    """Uniform `at` of a stream, in [0, 1)."""
    return bits53(*philox(seed, stream, at)[:2]) * 2.0**-53


assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]  # the paper's known answer
