#!/usr/bin/env python3
"""Follows the tutorials literally: applies their code blocks and runs their commands.

    follow_tutorials.py same                     both languages have the same blocks
    follow_tutorials.py chip BUILD WORK          docs/adding-a-chip.md, in WORK
    follow_tutorials.py op BUILD WORK CXX        docs/adding-an-op.md and tools/new_op, in WORK, on BUILD's objects

A comment in front of a block says what it is for:

    <!-- file: PATH -->            the block is that file
    <!-- before: PATH: TEXT -->    the block is inserted before the line of PATH that contains TEXT, once
    <!-- run -->                   the block is run by bash
    <!-- shows -->                 each line of the block, but "...", is in what the last command printed (spaces aside)
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(path):
    """(directive, language, text) of every fenced block."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return [m.groups() for m in BLOCK.finditer(f.read())]


def die(text):
    sys.exit(f"follow_tutorials: {text}")


def same():
    for name in ("adding-a-chip", "adding-an-op"):
        english, chinese = blocks(f"docs/{name}.md"), blocks(f"docs/{name}.zh-CN.md")
        if len(english) < 4 or not all(d for d, _, _ in english):
            die(f"docs/{name}.md: a block without a directive, or no blocks at all")
        for i, (a, b) in enumerate(zip(english, chinese)):
            if a != b:
                die(f"docs/{name}: block {i + 1} ({a[0]}) differs between the languages")
        if len(english) != len(chinese):
            die(f"docs/{name}: {len(english)} blocks in English, {len(chinese)} in Chinese")
        print(f"docs/{name}: {len(english)} equal blocks")


def words(line):
    return " ".join(line.split())


class Follower:
    """Carries out directives. Paths may contain $HOME; `environment` is that of the commands."""

    def __init__(self, base, environment, commands=lambda text: text):
        self.base, self.environment, self.commands, self.printed = base, environment, commands, ""

    def path(self, text):
        return os.path.join(self.base, text.replace("$HOME", self.environment["HOME"]))

    def follow(self, directive, text):
        if directive == "run":
            self.run(text)
        elif directive == "shows":
            printed = words(self.printed)
            for line in text.splitlines():
                for part in line.split("..."):
                    if words(part) not in printed:
                        die(f"the tutorial shows\n  {line}\nbut the command printed\n{self.printed}")
        elif directive.startswith("file: "):
            path = self.path(directive[6:])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        elif m := re.fullmatch(r"before: (\S+): (.+)", directive):
            self.insert(self.path(m[1]), m[2], text)
        else:
            die(f"unknown directive '{directive}'")

    def insert(self, path, mark, text):
        with open(path, encoding="utf-8") as f:
            lines = f.readlines()
        found = [i for i, line in enumerate(lines) if mark in line]
        if len(found) != 1:
            die(f"{path}: '{mark}' is in {len(found)} lines, expected one")
        lines.insert(found[0], text)
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(lines)

    def run(self, text):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self.commands(text)], cwd=self.base, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        self.printed = done.stdout
        print(f"$ {text.strip()}\n{done.stdout}", flush=True)
        if done.returncode:
            die(f"the command failed with status {done.returncode}")


def chip(build, work):
    """In the checkout, with WORK as home; only what stands for build/release is another folder."""
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    environment = {**os.environ, "HOME": work, "PATH": f"{build}:{os.environ['PATH']}"}
    environment.pop("SUIREN_PLUGINS", None)
    follower = Follower(ROOT, environment, lambda text: text.replace("build/release", build))
    for directive, _, text in blocks("docs/adding-a-chip.md"):
        follower.follow(directive, text)
    for name, folder in (("npu", f"{work}/npu"), ("No-Name", f"{work}/other")):
        if run([f"{ROOT}/tools/new_backend", name, folder])[0] == 0:
            die("tools/new_backend must refuse a folder that is there, and a name that is none")


OVERLAY = """\
cmake_minimum_required(VERSION 3.22)
project(overlay NONE)
include(cmake/generate_registries.cmake)
"""


def overlay(work):
    """A tree with this one's rooms and kernels, by links, in which new ones can be made."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("suiren/ops", "backends/cpu/kernels"):
        os.makedirs(f"{work}/{folder}")
        for name in os.listdir(f"{ROOT}/{folder}"):
            os.symlink(f"{ROOT}/{folder}/{name}", f"{work}/{folder}/{name}")
    shutil.copytree(f"{ROOT}/tools", f"{work}/tools")
    os.symlink(f"{ROOT}/cmake", f"{work}/cmake")
    with open(f"{work}/CMakeLists.txt", "w", encoding="utf-8") as f:
        f.write(OVERLAY)


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, **more)
    return done.returncode, done.stdout


def must(command, **more):
    code, printed = run(command, **more)
    if code:
        die(f"{' '.join(command)}\n{printed}")


def op_suite_with(build, work, compiler, rooms):
    """The op suite, linked anew with the registries of the overlay and the new files; everything else as it is."""
    must(["cmake", "-S", work, "-B", f"{work}/build"])
    generated = f"{work}/build/generated"
    sources = [f"{generated}/op_list.cpp", f"{generated}/cpu_kernel_list.cpp", f"{work}/backends/cpu/kernels/softcap.cpp"]
    sources += [f"{work}/suiren/ops/{room}/{room}.cpp" for room in rooms]
    objects = []
    for i, source in enumerate(sources):
        objects.append(f"{work}/build/{i}.o")
        must([*compiler.split(), "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", f"-I{work}",
              f"-I{ROOT}", f"-I{generated}", "-c", source, "-o", objects[-1]])
    suite = [os.path.join(folder, f) for folder, _, files in os.walk(f"{build}/tests/CMakeFiles/test_ops.dir") for f in files if f.endswith(".o")]
    libraries = [f"{build}/libsuiren_{x}.a" for x in ("conform", "infer", "text", "models", "nn", "optim", "io", "ops", "core", "cpu", "quant", "base")]
    libraries = [f for f in libraries if os.path.exists(f)]
    others = "-lgtest -lgtest_main -lfmt -lpcre2-8 -lzstd -lz -lcrypto -pthread -ldl".split()
    must([*compiler.split(), "-o", f"{work}/test_ops", *objects, *suite, "-Wl,--start-group", *libraries, "-Wl,--end-group", *others])


def op(build, work, compiler):
    if os.path.exists(f"{ROOT}/suiren/ops/softcap"):
        die("the op of the tutorial is there already; the tutorial needs another one")
    overlay(work)
    follower = Follower(work, {**os.environ, "HOME": work})
    for directive, _, text in blocks("docs/adding-an-op.md"):
        follower.follow(directive, text)
    fresh, half = "tutorial_fresh", "tutorial_half"  # a room as it is made, and one with its reference written
    for name in (fresh, half):
        must([f"{work}/tools/new_op", name])
    if run([f"{work}/tools/new_op", fresh])[0] == 0 or run([f"{work}/tools/new_op", "No-Name"])[0] == 0:
        die("tools/new_op must refuse a room that is there, and a name that is none")
    write_reference(f"{work}/suiren/ops/{half}/{half}.cpp")
    op_suite_with(build, work, compiler, ["softcap", fresh, half])
    code, printed = run([f"{work}/test_ops", "--gtest_filter=*/softcap*:-*Golden*"], cwd=ROOT)
    print(printed)
    if code or not re.search(r"\[  PASSED  \] [1-9]", printed):
        die("the op of the tutorial does not pass its suite")
    for room, part in ((fresh, "reference"), (half, "vjp")):
        code, printed = run([f"{work}/test_ops", f"--gtest_filter=*/{room}"], cwd=ROOT)
        if not code or f"fill in `{part}` in suiren/ops/{room}/{room}.cpp" not in printed:
            die(f"{room} must fail its suite and say that `{part}` is to be filled in:\n{printed}")
    print("tools/new_op: a room that compiles, fails, and says what to fill in")


def write_reference(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text, changed = re.subn(r"(void reference\()[^{]*{[^}]*}", r"\1const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) { out[0].v = in[0].v; }", text)
    if changed != 1:
        die(f"{path} has no reference to fill in")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    commands = {"same": same, "chip": chip, "op": op}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__.strip())
    commands[sys.argv[1]](*sys.argv[2:])


main()
