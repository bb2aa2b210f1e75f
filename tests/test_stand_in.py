"""The stand-in behaves as FaceLandmarkImg was measured to: what the other tests stand on."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests import docker_engine
from tests.require import require
from tests.stand_in.pictures import CORNERS, save_broken, save_face

STAND_IN = docker_engine.STAND_IN
WITH_INTENSITY = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
INTENSITIES = [f"AU{number:02}_r" for number in WITH_INTENSITY]
OCCURRENCES = [f"AU{number:02}_c" for number in sorted((*WITH_INTENSITY, 28))]
WANTED = ("-aus", "-pose", "-2Dfp")


class Run:
    """Runs the stand-in in a folder of its own, with one of the shells."""

    def __init__(self, folder: Path, command: list[str], path: str) -> None:
        self.folder = folder
        self.command = command
        self.path = path

    def __call__(
        self, *arguments: object, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, str(STAND_IN), *map(str, arguments)],
            cwd=self.folder,
            env={"PATH": self.path, **(env or {})},
            capture_output=True,
            text=True,
            timeout=30,
        )

    def files(self, folder: str = "out") -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir())


@pytest.fixture(scope="session")
def applets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH that holds the applets of busybox and nothing else, as in the image."""
    busybox = shutil.which("busybox")
    if busybox is None:
        return ""
    folder = tmp_path_factory.mktemp("applets")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in listed.stdout.split():
        (folder / applet).symlink_to(busybox)
    return str(folder)


@pytest.fixture(params=["sh", "busybox"])
def run(request: pytest.FixtureRequest, tmp_path: Path, applets: str) -> Run:
    if request.param == "sh":
        require("sh", None if Path("/bin/sh").exists() else "no POSIX shell")
        return Run(tmp_path, ["/bin/sh"], os.environ["PATH"])
    require("busybox", None if applets else "busybox is missing (apt-get install busybox-static)")
    return Run(tmp_path, [f"{applets}/busybox", "sh"], applets)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_aus_has_the_37_columns_in_the_real_order(run: Run) -> None:
    save_face(run.folder / "in/a.jpg")
    assert run("-fdir", "in", "-out_dir", "out", "-aus").returncode == 0
    text = (run.folder / "out/a.csv").read_bytes().decode()
    assert text.splitlines()[0].split(",") == ["face", "confidence", *INTENSITIES, *OCCURRENCES]
    assert text.endswith("\n")
    assert "\r" not in text


def test_aus_pose_2dfp_has_179_plausible_columns(run: Run) -> None:
    save_face(run.folder / "in/a.jpg", size=(320, 240))
    run("-fdir", "in", "-out_dir", "out", *WANTED)
    (row,) = read_csv(run.folder / "out/a.csv")
    assert len(row) == 179
    assert list(row)[-35:-18] == INTENSITIES
    x = [float(row[f"x_{i}"]) for i in range(68)]
    y = [float(row[f"y_{i}"]) for i in range(68)]
    assert 0 <= min(x) < max(x) <= 320
    assert 0 <= min(y) < max(y) <= 240
    assert x[36] < x[45], "the eye on the left is left of the other"
    assert y[27] < y[57] < y[8], "nose, mouth, chin, from the top"
    assert 100 < float(row["pose_Tz"]) < 5000


def test_default_flags_give_711_columns_and_the_other_files(run: Run) -> None:
    save_face(run.folder / "in/a.png")
    run("-f", "in/a.png")
    assert run.files("processed") == [
        "a.csv", "a.hog", "a.jpg", "a_aligned", "a_of_details.txt",
    ]  # fmt: skip
    (row,) = read_csv(run.folder / "processed/a.csv")
    assert len(row) == 711
    assert list(row)[-35:-18] == INTENSITIES
    assert all(abs(float(value)) < 1e5 for value in row.values())


def test_details_are_as_the_real_ones_with_a_face_and_without(run: Run) -> None:
    save_face(run.folder / "in/a.jpg", size=(640, 400))
    save_face(run.folder / "in/b.jpg", faces=0)
    assert run("-fdir", "in", "-out_dir", "out", *WANTED).returncode == 0
    details = (run.folder / "out/a_of_details.txt").read_text().splitlines()
    assert details == [
        "Input:in/a.jpg",
        f"Input full path:{run.folder.resolve()}/in/a.jpg",
        "Camera parameters:458.333,458.333,320,200",
        "Output csv:a.csv",
        "Gaze: 0",
        "AUs: 1",
        "Landmarks 2D: 1",
        "Landmarks 3D: 0",
        "Pose: 1",
        "Shape parameters: 0",
    ]
    assert len((run.folder / "out/b_of_details.txt").read_text().splitlines()) == 3
    assert not (run.folder / "out/b.csv").exists()


def test_values_follow_from_the_bytes_alone(run: Run) -> None:
    for seed in range(24):
        save_face(run.folder / f"in/{seed:02}.jpg", seed=seed)
    shutil.copy(run.folder / "in/07.jpg", run.folder / "copy.jpg")
    run("-fdir", "in", "-out_dir", "out", *WANTED)
    run("-f", "copy.jpg", "-out_dir", "out", "-aus")
    rows = [read_csv(run.folder / f"out/{seed:02}.csv")[0] for seed in range(24)]
    (copy,) = read_csv(run.folder / "out/copy.csv")
    assert copy == {name: rows[7][name] for name in copy}, "AUs are the same in any group"
    values = [[row[name] for name in INTENSITIES] for row in rows]
    assert len({tuple(row) for row in values}) == 24
    flat = [float(value) for row in values for value in row]
    assert 0.2 < flat.count(0) / len(flat) < 0.45
    assert 3 < max(flat) <= 5
    assert all(value == f"{float(value):.2f}" for row in values for value in row)
    assert {row[name] for row in rows for name in OCCURRENCES} == {"0.0", "1.0"}
    doubtful = [row for row in rows if float(row["confidence"]) < 0.7]
    assert 0 < len(doubtful) < 8


def test_the_shells_agree_to_the_byte(tmp_path: Path, applets: str) -> None:
    require("busybox", None if applets else "busybox is missing (apt-get install busybox-static)")
    for seed in range(3):
        save_face(tmp_path / f"in/{seed}.jpg", seed=seed, faces=2)
    Run(tmp_path, ["/bin/sh"], os.environ["PATH"])("-fdir", "in", "-out_dir", "a")
    Run(tmp_path, [f"{applets}/busybox", "sh"], applets)("-fdir", "in", "-out_dir", "b")
    for seed in range(3):
        text = (tmp_path / f"a/{seed}.csv").read_bytes()
        assert text
        assert text == (tmp_path / f"b/{seed}.csv").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_picture_dictates_what_is_seen(run: Run, suffix: str) -> None:
    aus = [1.2, 0.0, *[0.25] * 15]
    save_face(
        run.folder / f"a{suffix}", faces=2, face_sizes=[0.2, 0.5], confidence=[0.35, 0.9], aus=aus
    )
    assert run("-f", f"a{suffix}", "-out_dir", "out", *WANTED).returncode == 0
    rows = read_csv(run.folder / "out/a.csv")
    assert [row["face"] for row in rows] == ["0", "1"]
    assert [row["confidence"] for row in rows] == ["0.350", "0.900"]
    assert [float(rows[0][name]) for name in INTENSITIES] == aus
    widths = [float(row["x_16"]) - float(row["x_0"]) for row in rows]
    assert widths[0] < widths[1], "the largest is not the first"


# What is seen at the shorter sides that enlarging gives: a confidence, "" without a face.
CORNER_CASES = {
    "never": {192: "", 288: "", 576: ""},
    "none_below_288": {192: "", 287: "", 288: "0.950", 576: "0.950"},
    "none_below_576": {192: "", 384: "", 575: "", 576: "0.950"},
    "unsure_below_288": {192: "0.350", 288: "0.950", 576: "0.950"},
    "unsure": {192: "0.350", 288: "0.550", 384: "0.550", 576: "0.450"},
    "dies": {192: "134", 576: "134"},
    "dies_below_288": {192: "134", 288: "0.950"},
    "dies_from_288": {192: "0.350", 288: "134"},
}


def enlarge(source: Path, target: Path, side: int, border: int, grey: bool = False) -> Path:
    """As a picture is enlarged before OpenFace sees it: cubic, with a border of its own pixels."""
    import cv2

    picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    scale = side / min(picture.shape[:2])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    picture = cv2.copyMakeBorder(picture, *[border] * 4, cv2.BORDER_REPLICATE)
    target.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(target), picture)
    return target


def seen_in(run: Run, picture: Path) -> str:
    """The confidence of the face, 134 if it died; empty without a face."""
    done = run("-f", picture, "-out_dir", "out", *WANTED)
    if done.returncode:
        assert done.returncode == -6
        return "134"
    csv_file = run.folder / f"out/{picture.stem}.csv"
    return read_csv(csv_file)[0]["confidence"] if csv_file.exists() else ""


@pytest.mark.parametrize("corner", CORNER_CASES)
def test_a_corner_dictates_in_an_enlarged_picture_too(run: Run, corner: str) -> None:
    expected = CORNER_CASES[corner]
    save_face(run.folder / "small.jpg", size=(48, 52), seed=7, corner=corner)
    save_face(run.folder / "odd.png", size=(55, 71), seed=8, corner=corner)
    seen, wanted = {}, {}
    for side, confidence in expected.items():
        for name, grey in (("small.jpg", True), ("odd.png", False)):
            border = 0 if side == 192 else side // 6
            target = run.folder / f"big/{Path(name).stem}{side}.bmp"
            picture = enlarge(run.folder / name, target, side - 2 * border, border, grey)
            seen[side, name], wanted[side, name] = seen_in(run, picture), confidence
    assert seen == wanted


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_corner_dictates_as_it_is_and_is_in_the_pixels(run: Run, suffix: str) -> None:
    path = save_face(run.folder / f"a{suffix}", size=(161, 155), corner="unsure")
    assert seen_in(run, path) == "0.350"
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    pixels = [rgb.getpixel((x, 154)) for x in (0, 1, 2, 3, 157, 158, 159, 160)]
    assert pixels == [(CORNERS["unsure"],) * 3] * 4 + [(255 - CORNERS["unsure"],) * 3] * 4


def test_a_corner_needs_both_ends_and_is_weaker_than_text(run: Run) -> None:
    white = Image.new("L", (200, 200), CORNERS["never"])
    white.save(run.folder / "even.bmp")
    assert seen_in(run, run.folder / "even.bmp"), "one end alone is any even picture"
    for name, marks in {"plain": {}, "text": {"faces": 1, "confidence": 0.77}}.items():
        save_face(run.folder / f"{name}.bmp", size=(1500, 300), corner="never", **marks)
    assert seen_in(run, run.folder / "plain.bmp") == "", "a row longer than what is read first"
    assert seen_in(run, run.folder / "text.bmp") == "0.770"
    with Image.open(run.folder / "plain.bmp") as picture:
        picture.save(run.folder / "anew.bmp")
        picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(run.folder / "upside_down.bmp")
    assert seen_in(run, run.folder / "anew.bmp") == ""
    assert seen_in(run, run.folder / "upside_down.bmp")


def test_a_directory_is_read_flat_sorted_and_by_lower_case_suffix(run: Run) -> None:
    for name in ("b.jpg", "a.png", ".h.bmp", "-c.jpeg", "Z.jpg", "u.JPG", "t.tif", "w.webp"):
        save_face(run.folder / "in" / name)
    save_face(run.folder / "in/deeper/x.jpg")
    (run.folder / "in/notes.txt").write_text("no picture")
    run("-fdir", "in/", "-out_dir", "out", "-aus")
    assert run.files() == sorted(
        f"{stem}{end}"
        for stem in ("b", "a", ".h", "-c", "Z")
        for end in (".csv", "_of_details.txt")
    )
    written = sorted((run.folder / "out").glob("*.csv"), key=lambda path: path.stat().st_mtime_ns)
    assert [path.stem for path in written] == ["-c", ".h", "Z", "a", "b"]


def test_a_stale_csv_stays_and_the_same_stem_collides(run: Run) -> None:
    save_face(run.folder / "in/a.jpg", confidence=0.11)
    save_face(run.folder / "in/a.png", faces=0)
    save_face(run.folder / "in/b.jpg", confidence=0.22)
    save_face(run.folder / "in/b.png", confidence=0.33)
    run("-fdir", "in", "-out_dir", "out", "-aus")
    assert read_csv(run.folder / "out/a.csv")[0]["confidence"] == "0.110"
    assert "a.png" in (run.folder / "out/a_of_details.txt").read_text()
    assert read_csv(run.folder / "out/b.csv")[0]["confidence"] == "0.330"


def test_of_names_the_first_file_only(run: Run) -> None:
    save_face(run.folder / "a.jpg")
    save_face(run.folder / "b.jpg")
    run("-f", "a.jpg", "-f", "b.jpg", "-out_dir", "deep/out", "-of", "named.csv", "-aus")
    assert run.files("deep/out") == [
        "b.csv", "b_of_details.txt", "named.csv", "named_of_details.txt",
    ]  # fmt: skip


def test_stdout_is_silent_after_starting_tracking(run: Run) -> None:
    save_face(run.folder / "in/a.jpg")
    done = run("-fdir", "in", "-out_dir", "out", "-mloc", "model/main_clnf_general.txt", "-aus")
    lines = done.stdout.splitlines()
    assert lines[0] == "Attempting to read from directory: in"
    assert "Loading the model" in lines
    assert lines[-1] == "Starting tracking"


@pytest.mark.parametrize("kind", ["zero", "garbage", "truncated_png", "directory", "missing"])
def test_an_unreadable_picture_ends_the_run_with_1(run: Run, kind: str) -> None:
    name = "b.png" if kind == "truncated_png" else "b.jpg"
    save_face(run.folder / "in/a.jpg")
    save_face(run.folder / "in/c.jpg")
    if kind == "missing":
        (run.folder / "in" / name).symlink_to("nowhere.jpg")
    else:
        save_broken(run.folder / "in" / name, kind)
    done = run("-fdir", "in", "-out_dir", "out", "-aus")
    assert done.returncode == 1
    assert done.stdout.endswith(f"Starting tracking\nError: Could not open the image: in/{name}\n")
    assert run.files() == ["a.csv", "a_of_details.txt"], "c is not processed, b leaves no trace"


def test_a_truncated_jpeg_passes(run: Run) -> None:
    save_broken(run.folder / "in/a.jpg", "truncated_jpeg")
    done = run("-fdir", "in", "-out_dir", "out", "-aus")
    assert done.returncode == 0
    assert "Premature end of JPEG file" in done.stderr
    assert run.files() == ["a.csv", "a_of_details.txt"]


def test_a_tiny_picture_aborts_and_a_small_one_has_no_face(run: Run) -> None:
    save_face(run.folder / "in/a.jpg", size=(59, 200))
    save_face(run.folder / "in/b.png", size=(200, 43))
    save_broken(run.folder / "in/c.bmp", "tiny")
    save_face(run.folder / "in/d.jpg")
    done = run("-fdir", "in", "-out_dir", "out", "-aus")
    assert done.returncode == -6, "really by SIGABRT"
    assert "std::length_error" in done.stderr
    assert run.files() == ["a_of_details.txt", "b_of_details.txt", "c_of_details.txt"]


def test_the_size_is_found_behind_a_long_exif_block(run: Run) -> None:
    save_face(run.folder / "plain.jpg", size=(58, 58))
    data = (run.folder / "plain.jpg").read_bytes()
    block = b"\xff\xe1" + (60000).to_bytes(2, "big") + b"\xff\xc0 \xff\xd9" * 12000
    (run.folder / "a.jpg").write_bytes(data[:2] + block[:60002] + data[2:])
    assert run("-f", "a.jpg", "-out_dir", "out", "-aus").returncode == 0
    assert ",29,29" in (run.folder / "out/a_of_details.txt").read_text()
    assert run.files() == ["a_of_details.txt"]


@pytest.mark.parametrize("code", [1, 134, 137])
def test_a_picture_can_end_the_run(run: Run, code: int) -> None:
    save_face(run.folder / "in/a.jpg", die=code)
    save_face(run.folder / "in/b.jpg")
    done = run("-fdir", "in", "-out_dir", "out", "-aus")
    assert done.returncode == (code if code < 128 else 128 - code)
    assert run.files() == ["a_of_details.txt"]


def test_faulty_inputs_end_with_their_codes_and_texts(run: Run) -> None:
    (run.folder / "empty").mkdir()
    (run.folder / "file").write_text("")
    nothing = run()
    assert (nothing.returncode, "http" in nothing.stdout) == (0, True)
    no_input = run("-aus", "-out_dir", "out")
    assert (no_input.returncode, no_input.stdout) == (1, "Could not open any images\n")
    empty = run("-fdir", "empty", "-aus")
    assert empty.returncode == 1
    assert empty.stdout == (
        "Attempting to read from directory: empty\n"
        "No images found in the directory: empty\n"
        "Could not open any images\n"
    )
    for path in ("nowhere", "file"):
        done = run("-fdir", path, "-aus")
        assert done.returncode == -6
        assert "boost::filesystem" in done.stderr
    save_face(run.folder / "a.jpg")
    no_model = run("-f", "a.jpg", "-mloc", run.folder / "nowhere.txt")
    assert no_model.returncode == 1
    assert "Could not find the landmark detection model to load" in no_model.stdout
    assert not (run.folder / "out").exists()


def test_unknown_flags_are_ignored(run: Run) -> None:
    save_face(run.folder / "a.jpg")
    done = run("-f", "a.jpg", "-out_dir", "out", "-aus", "-wild", "-nonsense", "7")
    assert done.returncode == 0
    assert run.files() == ["a.csv", "a_of_details.txt"]


def test_outputs_that_cannot_be_written(run: Run) -> None:
    save_face(run.folder / "a.jpg")
    (run.folder / "out/a.csv").mkdir(parents=True)
    done = run("-f", "a.jpg", "-out_dir", "out", "-aus")
    assert done.returncode == 1
    assert done.stdout.endswith("The output CSV file is not open, exiting\n")
    done = run("-f", "a.jpg", "-out_dir", "a.jpg/out", "-aus")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2] == "Starting tracking", "after the model load"


def test_a_full_disk_goes_without_a_word(run: Run) -> None:
    full = Path("/dev/full")
    require("/dev/full", None if full.exists() else "no /dev/full on this system")
    save_face(run.folder / "a.jpg")
    save_face(run.folder / "b.jpg")
    (run.folder / "out").mkdir()
    (run.folder / "out/a.csv").symlink_to(full)
    done = run("-f", "a.jpg", "-f", "b.jpg", "-out_dir", "out", "-aus")
    assert done.returncode == 0
    assert done.stdout.endswith("Starting tracking\n")
    assert "space" not in done.stderr
    assert "write" not in done.stderr
    assert read_csv(run.folder / "out/b.csv")


@pytest.mark.parametrize("told_by", ["text", "corner"])
def test_details_come_before_a_pause_and_a_kill_ends_it_at_once(run: Run, told_by: str) -> None:
    if told_by == "text":
        save_face(run.folder / "in/a.jpg", sleep=20)
    else:
        save_face(run.folder / "a.png", size=(48, 48), corner="hangs")
        enlarge(run.folder / "a.png", run.folder / "in/a.bmp", 192, 0)
    process = subprocess.Popen(
        [*run.command, str(STAND_IN), "-fdir", "in", "-out_dir", "out", "-aus"],
        cwd=run.folder,
        env={"PATH": run.path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 10
        while not (run.folder / "out/a_of_details.txt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert run.files() == ["a_of_details.txt"]
        started = time.monotonic()
        process.kill()
        process.communicate(timeout=10)
        assert time.monotonic() - started < 5, "the pause holds no pipe of the caller"
    finally:
        os.killpg(process.pid, 9)


def test_calls_are_noted_and_burning_costs_time(run: Run) -> None:
    for seed in range(4):
        save_face(run.folder / f"in/{seed}.jpg", seed=seed)
    calls = run.folder / "calls.txt"
    times = []
    for burn_ms in ("0", "100"):
        before = os.times()
        run(
            "-fdir", "in", "-out_dir", "out", "-aus",
            env={"STAND_IN_CALLS": str(calls), "STAND_IN_BURN_MS": burn_ms},
        )  # fmt: skip
        after = os.times()
        times.append(after.children_user - before.children_user)
    assert calls.read_text() == "-fdir in -out_dir out -aus\n" * 2
    assert 0.2 < times[1] - times[0] < 1.2, "0.4 s of CPU time, roughly"


def test_the_pictures_seen_are_noted(run: Run) -> None:
    save_face(run.folder / "in/a b.jpg", size=(64, 60))
    save_broken(run.folder / "in/c.png", "tiny")
    save_face(run.folder / "in/d.jpg")
    seen = run.folder / "seen.tsv"
    run("-fdir", "in", "-out_dir", "out", "-aus", env={"STAND_IN_SEEN": str(seen)})
    run("-f", "in/d.jpg", "-out_dir", "out", "-aus", env={"STAND_IN_SEEN": str(seen)})
    assert seen.read_text() == "in/a b.jpg\t64\t60\nin/c.png\t42\t120\nin/d.jpg\t200\t150\n"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    require("docker", docker_engine.engine_reason())
    require("busybox", docker_engine.busybox_reason())
    import docker

    tag = f"aufer-stand-in:test-{os.getpid()}"
    docker_engine.import_stand_in_image(tag)
    yield tag
    client = docker.from_env()
    client.images.remove(tag, force=True)
    client.close()


def test_in_a_container_the_files_and_codes_are_the_same(image: str, tmp_path: Path) -> None:
    import docker

    for seed in range(3):
        save_face(tmp_path / f"in/{seed}.jpg", seed=seed)
    save_broken(tmp_path / "tiny.jpg", "tiny")
    (tmp_path / "out").mkdir()
    Run(tmp_path, ["/bin/sh"], os.environ["PATH"])("-fdir", "in", "-out_dir", "native", *WANTED)

    client = docker.from_env()
    container = client.containers.run(
        image,
        detach=True,
        tty=True,
        stdin_open=True,
        network_mode="none",
        user=f"{os.getuid()}:{os.getgid()}",
        volumes={
            str(tmp_path / "in"): {"bind": "/input", "mode": "ro"},
            str(tmp_path / "tiny.jpg"): {"bind": "/tiny.jpg", "mode": "ro"},
            str(tmp_path / "out"): {"bind": "/output", "mode": "rw"},
        },
    )
    try:
        code, text = container.exec_run(
            ["./FaceLandmarkImg", "-fdir", "/input", "-out_dir", "/output", *WANTED]
        )
        assert code == 0, text
        for seed in range(3):
            written = tmp_path / f"out/{seed}.csv"
            assert written.read_bytes() == (tmp_path / f"native/{seed}.csv").read_bytes()
            assert written.stat().st_uid == os.getuid()
        tiny = ["./FaceLandmarkImg", "-f", "/tiny.jpg", "-out_dir", "/tmp/out", "-aus"]
        assert container.exec_run(tiny).exit_code == 134
    finally:
        container.remove(force=True)

    alone = client.containers.create(
        image,
        tiny,
        network_mode="none",
        volumes={str(tmp_path / "tiny.jpg"): {"bind": "/tiny.jpg", "mode": "ro"}},
    )
    try:
        alone.start()
        assert alone.wait(timeout=20)["StatusCode"] == 134, "deaf to its own SIGABRT, yet 134"
    finally:
        alone.remove(force=True)
        client.close()
