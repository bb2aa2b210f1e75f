"""The page of ``--web`` in a real Chromium, and what its server refuses."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from aufer.errors import EnvironmentFailure
from aufer.live.event_loop import EventLoop
from aufer.live.expressions import COLOURS
from aufer.live.message import Face
from aufer.live.sinks.sink import Step
from aufer.live.sinks.web_page import WebPage, as_jpeg
from aufer.pictures.opencv import opencv
from tests.chromium import Browser, Page, running_chromium
from tests.live_steps import EXPRESSIONS, TEAL, face, step
from tests.stalled import stalled_client, wait_until

Start = Callable[..., WebPage]

HAPPY = face(4, "happy", 0.7, (60, 120, 240, 240))
SAD = face(2, "sad", 0.55, (340, 60, 120, 120))
ANGRY = face(3, "angry", 0.4, (500, 200, 100, 100))


class Feed:
    """Sends the same faces on and on, as a camera does; what they are can be changed."""

    def __init__(self, page: WebPage) -> None:
        self.faces: list[Face] = [HAPPY, SAD, ANGRY]
        self.pixels: np.ndarray | None = None
        self.with_frame = True
        self.page = page
        self._seq = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """The source drops out."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.04):
            self.page.send(
                step(self._seq, self.faces, pixels=self.pixels, with_frame=self.with_frame)
            )
            self._seq += 1


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def start() -> Iterator[Start]:
    """``start(…)`` gives a page on a free port; all end with the test."""
    loop = EventLoop()
    pages = []

    def started(**options: Any) -> WebPage:
        page = WebPage(loop, **{"port": 0} | options)
        assert page.start() == f"page: http://127.0.0.1:{page.port}/"
        pages.append(page)
        return page

    yield started
    for page in pages:
        page.close()
    loop.close()


@pytest.fixture
def feed(start: Start) -> Iterator[Feed]:
    """A page that three faces are sent to."""
    facts = {"title": "clip.avi", "model": "face-cnn", "clients": 5, "dropped": 7}
    feed = Feed(start(facts=lambda: facts))
    yield feed
    feed.end()


@pytest.fixture
def page(browser: Browser, feed: Feed) -> Iterator[Page]:
    """A tab with that page, in use; it complained of nothing, and asked nobody else."""
    tab = looked_at(browser, feed.page)
    yield tab
    assert not tab.complaints
    own = f"127.0.0.1:{feed.page.port}/"
    assert {url.partition("://")[2].startswith(own) for url in tab.requests} == {True}
    tab.close()


def looked_at(browser: Browser, page: WebPage) -> Page:
    tab = browser.page()
    tab.open(f"http://127.0.0.1:{page.port}/")
    tab.wait_for("document.querySelector('#answer').textContent")
    return tab


def rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def is_near(found: tuple[int, ...], wanted: Any, by: int = 12) -> bool:
    """JPEG changes colours a little."""
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


def colours_on(tab: Page, canvas: str) -> dict[str, int]:
    """Which of the expressions' colours a canvas has, each with its number of pixels."""
    found = tab.evaluate(
        f"(c => {{ const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " const n = {}; for (let i = 0; i < d.length; i += 4) {"
        " const k = [d[i], d[i+1], d[i+2]].join(); n[k] = (n[k] ?? 0) + 1; } return n; })"
        f"(document.querySelector('{canvas}'))"
    )
    keys = {name: ",".join(map(str, rgb(COLOURS[name]))) for name in EXPRESSIONS.names}
    return {name: found[key] for name, key in keys.items() if key in found}


def test_the_picture_with_boxes_and_labels(page: Page) -> None:
    page.wait_for("document.querySelector('#picture').width > 300")
    wait_until(lambda: is_near(page.pixel("#picture", 0.9, 0.9), TEAL[::-1]))
    for each, name in ((SAD, "sad"), (ANGRY, "angry")):  # at the middle of an edge, there is paint
        box = each.box
        places = [
            ((box.x + dx / 4) / 640, (box.y + box.height * part) / 480)
            for part in (0.3, 0.4, 0.5, 0.6)
            for dx in range(-4, 5)
        ]
        around = page.pixels("#picture", places)
        assert any(is_near(pixel, rgb(COLOURS[name])) for pixel in around), name
        assert is_near(page.pixel("#picture", box.middle[0] / 640, box.middle[1] / 480), TEAL[::-1])
    found = colours_on(page, "#picture")
    assert set(found) == {"happy", "sad", "angry"}
    # a label is a plate of the colour above the box, with something written on it
    places = [((HAPPY.box.x + dx) / 640, (HAPPY.box.y - 14) / 480) for dx in range(25, 120)]
    plate = page.pixels("#picture", places)
    yellow = sum(pixel == tuple(rgb(COLOURS["happy"])) for pixel in plate)
    dark = sum(max(pixel) < 80 for pixel in plate)
    assert yellow > 40
    assert dark > 5
    assert page.wait_for(
        "document.querySelector('#picture').ariaLabel.includes('3 faces') &&"
        " document.querySelector('#picture').ariaLabel"
    ) == ("Picture with 3 faces. Face 4: Happy. Face 2: Sad. Face 3: Angry.")


def test_bars_figures_and_facts(page: Page) -> None:
    assert page.text("#face-title") == "Face 4, the largest"
    assert page.text("#answer") == "Happy70 %"
    rows = page.evaluate(
        "[...document.querySelectorAll('#bars tr')].map(r => [r.cells[0].textContent,"
        " r.querySelector('.track div').style.width, r.cells[2].textContent,"
        " getComputedStyle(r.querySelector('.track div')).backgroundColor])"
    )
    wanted = [
        [
            word,
            pytest.approx(score * 100, abs=0.01),
            f"{round(score * 100)} %",
            f"rgb({', '.join(map(str, rgb(colour)))})",
        ]
        for word, score, colour in zip(
            EXPRESSIONS.words, HAPPY.scores, EXPRESSIONS.colours, strict=True
        )
    ]
    assert [[row[0], float(row[1].rstrip("%")), *row[2:]] for row in rows] == wanted
    page.wait_for("document.querySelector('#source').textContent == 'clip.avi'")
    figures = [page.text(f"#{name}") for name in ("fps", "face-count", "clients", "dropped")]
    assert figures == ["25.0", "3", "5", "7"]
    assert page.text("#viewers") == "1"
    assert page.text("#model") == "Model: face-cnn"
    assert page.text("#state") == "Live"
    assert page.evaluate("document.querySelector('#recording').hidden")
    assert page.evaluate("document.title") == "clip.avi – aufer live"
    assert "An expression is not a feeling" in page.text("footer")
    legend = page.evaluate(
        "[...document.querySelectorAll('#legend li')].map(i => [i.textContent,"
        " i.querySelector('.mark path').getAttribute('d') +"
        " i.querySelector('.colour').getAttribute('stroke-dasharray')])"
    )
    assert [word for word, _ in legend] == list(EXPRESSIONS.words)
    assert len({mark for _, mark in legend}) == len(legend)


def test_the_time_line_is_of_the_face_that_is_followed(page: Page, feed: Feed) -> None:
    wait_until(lambda: len(colours_on(page, "#timeline")) == 7)  # all scores are over 0
    shares = colours_on(page, "#timeline")
    assert max(shares, key=lambda name: shares[name]) == "happy"
    assert page.text("#shares") == "Highest score: Happy 100 % of the time."
    page.click("#picture", SAD.box.middle[0] / 640, SAD.box.middle[1] / 480)
    assert page.text("#past-title") == "The last minute: face 2"
    assert page.text("#shares") == "Highest score: Sad 100 % of the time."
    wait_until(lambda: page.pixel("#timeline", 0.999, 0.02) == tuple(rgb(COLOURS["sad"])))
    assert page.text("#answer") == "Sad55 %"
    page.click("#picture", 0.95, 0.95)  # nobody there
    assert page.text("#face-title") == "Face 4, the largest"


def test_faces_are_chosen_by_the_keyboard(page: Page, feed: Feed) -> None:
    def title() -> str:
        return page.text("#face-title")

    page.wait_for("document.querySelectorAll('#faces input').length == 4")
    assert page.text("#faces") == "LargestFace 2Face 3Face 4"
    page.press("ArrowRight")
    assert title() == "Face 2"
    page.press("ArrowRight")
    assert title() == "Face 3"
    page.press("ArrowLeft")
    assert title() == "Face 2"
    page.press("Escape")
    assert title() == "Face 4, the largest"
    # and as the radio buttons that they are
    seen = []
    while "INPUT" not in seen and len(seen) < 10:
        page.press("Tab")
        seen.append(page.evaluate("document.activeElement.tagName"))
        outline = page.evaluate(
            "(e => getComputedStyle(e.nextElementSibling ?? e).outlineStyle +"
            " getComputedStyle(e).outlineStyle)(document.activeElement)"
        )
        assert "solid" in outline  # where the focus is can be seen
    assert seen == ["A", "BUTTON", "BUTTON", "INPUT"]
    page.press("ArrowRight")
    assert title() == "Face 2"
    feed.faces = [HAPPY, ANGRY]  # it left; the focus stays, and one of those that are there comes
    page.wait_for(
        "document.querySelector('#face-title').textContent == 'Face 2 isn’t in the picture'"
    )
    page.wait_for("document.querySelector('#face-title').textContent == 'Face 4, the largest'")
    page.wait_for("document.querySelectorAll('#faces input').length == 3")


def test_space_pauses_and_goes_on(page: Page, feed: Feed) -> None:
    page.press(" ")
    page.wait_for("document.querySelector('#state').textContent == 'Paused'")
    assert page.evaluate("document.querySelector('#pause').ariaPressed") == "true"
    feed.faces = [face(9, "fear", 0.9)]
    asked = page.evaluate(
        "new Promise(done => setTimeout(() => done("
        "document.querySelector('#answer').textContent), 600))"
    )
    assert asked == "Happy70 %"
    assert "fear" not in colours_on(page, "#picture")
    page.press("Tab")
    page.press("Tab")
    page.press(" ")  # on the button itself
    page.wait_for("document.querySelector('#answer').textContent == 'Fear90 %'")
    wait_until(lambda: set(colours_on(page, "#picture")) == {"fear"})
    assert page.text("#state") == "Live"


def test_mirrored_pictures_have_readable_labels(page: Page, feed: Feed) -> None:
    pixels = np.full((480, 640, 3), 200, np.uint8)
    pixels[:, 320:] = 20
    feed.pixels, feed.faces = pixels, [face(1, "angry", 0.6, (60, 200, 120, 120))]
    wait_until(lambda: is_near(page.pixel("#picture", 0.9, 0.9), (20, 20, 20)))
    assert is_near(page.pixel("#picture", 0.1, 0.9), (200, 200, 200))

    def label() -> Any:
        """The label's pixels, wherever it is: its first and last column with its colour."""
        return page.evaluate(
            "(c => { const p = c.getContext('2d'); const rows = []; const k = c.width / 640;"
            " const y = Math.round((200 - 15) * k);"
            " const d = p.getImageData(0, y, c.width, 1).data;"
            " let s = ''; for (let i = 0; i < d.length; i += 4)"
            " s += d[i] > 215 && d[i+1] < 60 ? 'r' : d[i] > 235 && d[i+2] > 235 ? 'w' : '.';"
            " return s.replace(/^[.w]*(r.*r)[.w]*$/, '$1'); })(document.querySelector('#picture'))"
        )

    wait_until(lambda: "w" in label())
    before = label()
    page.click("#mirror")
    wait_until(lambda: is_near(page.pixel("#picture", 0.1, 0.9), (20, 20, 20)))
    assert is_near(page.pixel("#picture", 0.9, 0.9), (200, 200, 200))
    after = label()
    assert before != before[::-1]
    assert sum(a == b for a, b in zip(before, after, strict=False)) > 0.9 * len(before)
    page.click("#picture", (640 - 120) / 640, 260 / 480)
    assert page.text("#face-title") == "Face 1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_be_read(page: Page, scheme: str) -> None:
    page.prefer(color_scheme=scheme)
    ratios = page.evaluate(
        """(() => {
        const parts = (c) => c.match(/[\\d.]+/g).map(Number);
        const light = (c) => { const [r, g, b] = parts(c).map((v) => v / 255).map((v) =>
            v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = (e) => { const c = getComputedStyle(e).backgroundColor;
            return parts(c)[3] === 0 ? ground(e.parentElement) : c; };
        const found = {};
        for (const e of document.querySelectorAll("body *")) {
            const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
            const hidden = e.closest(".unseen, .skip, noscript, #notice");
            if (!own || hidden || !e.checkVisibility()) continue;
            const pair = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => a - b);
            found[e.id || e.tagName + " " + e.textContent] = (pair[1] + 0.05) / (pair[0] + 0.05);
        } return found; })()"""
    )
    assert len(ratios) > 30
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = sum(map(int, ground[4:-1].split(", "))) < 100
    assert is_dark == (scheme == "dark")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_small_screens_and_calm_ones(page: Page, feed: Feed, n: int) -> None:
    feed.faces = feed.faces[:n]
    page.resize(320, 640, 2)
    page.prefer(reduced_motion="reduce")
    page.wait_for(f"document.querySelector('#face-count').textContent == '{n}'")
    page.wait_for("(c => c.width == 2 * c.clientWidth)(document.querySelector('#picture'))")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    moving = "getComputedStyle(document.querySelector('.track div')).transitionDuration"
    assert page.evaluate(moving) == "0s"
    if n == 0:
        assert page.text("#face-title") == "No face in the picture"
        assert page.text("#bars").count("–") == 7


def test_a_screen_reader_is_told_now_and_then(page: Page, feed: Feed) -> None:
    page.evaluate(
        "window.told = []; new MutationObserver(() => told.push([performance.now(),"
        " document.querySelector('#said').textContent]))"
        ".observe(document.querySelector('#said'),"
        " {childList: true, characterData: true, subtree: true}), 0"
    )
    assert page.evaluate("document.querySelector('#said').ariaLive") == "polite"
    names = iter(EXPRESSIONS.names * 200)
    while len(page.evaluate("told")) < 2:
        feed.faces = [face(4, next(names), 0.8)]
        page.evaluate("new Promise(done => setTimeout(done, 150))")
    (first, text), (second, other), *_ = page.evaluate("told")
    assert second - first >= 3999
    assert text.startswith("Face 4: ")
    assert text != other


def test_no_picture_and_no_connection(browser: Browser, start: Start) -> None:
    page = start()
    feed = Feed(page)
    tab = looked_at(browser, page)
    feed.end()
    tab.wait_for("document.querySelector('#state').textContent == 'No picture'")
    assert "nothing came for" in tab.text("#notice")
    tab.wait_for("document.querySelector('#answer').textContent == ''")
    assert not tab.complaints
    feed = Feed(page)
    tab.wait_for("document.querySelector('#answer').textContent == 'Happy70 %'")
    assert tab.text("#state") == "Live"
    page.close()
    tab.wait_for("document.querySelector('#state').textContent == 'Not connected'")
    feed.end()
    feed = Feed(start(port=page.port))  # another run: the page comes back by itself
    tab.wait_for("document.querySelector('#answer').textContent == 'Happy70 %'")
    assert tab.text("#state") == "Live"
    feed.end()
    tab.close()


def test_messages_without_pictures_show_boxes(page: Page, feed: Feed) -> None:
    feed.with_frame = False
    feed.faces = [face(1, "surprise")]
    wait_until(lambda: set(colours_on(page, "#picture")) == {"surprise"})
    assert page.pixel("#picture", 0.95, 0.95) == (0, 0, 0)


def test_what_the_source_is_called_is_no_html(browser: Browser, start: Start) -> None:
    title = "<img src=x onerror=alert(1)>&amp;"
    feed = Feed(start(facts=lambda: {"title": title, "recording": "<b>out</b>"}))
    tab = looked_at(browser, feed.page)
    tab.wait_for("!document.querySelector('#recording').hidden")
    assert tab.text("#source") == title
    assert tab.text("#recording") == "Recording: <b>out</b>"
    assert not tab.complaints
    feed.end()
    tab.close()


def test_the_policy_holds_and_other_sites_see_nothing(browser: Browser, start: Start) -> None:
    page = start()
    tab = browser.page()
    tab.open(f"http://127.0.0.1:{page.port}/")
    tab.wait_for("document.querySelector('#state').textContent == 'Connecting'")
    assert (
        tab.evaluate("fetch('http://example.org/').then(() => 'read', () => 'refused')")
        == "refused"
    )
    assert "Content Security Policy" in " ".join(tab.complaints)
    script = f"""
        const url = 'ws://127.0.0.1:{page.port}/stream', said = [];
        const socket = new WebSocket(url);
        socket.onopen = () => {{ document.title = 'in'; }};
        socket.onerror = () => fetch('http://127.0.0.1:{page.port}/').then(
            () => {{ document.title = 'read'; }}, () => {{ document.title = 'refused'; }});
    """

    class OtherSite(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"<script>{script}</script>".encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), OtherSite) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        tab.open(f"http://localhost:{site.server_port}/")
        assert tab.wait_for("document.title") == "refused"
        site.shutdown()
    tab.close()


def answer_to(port: int, path: str, method: str = "GET", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read()


def test_what_is_served(start: Start) -> None:
    port = start().port
    kinds = {"/": "html", "/?q": "html", "/live.css": "css"}
    scripts = ("/live.js", "/live-drawing.js", "/live-units.js")
    for path, kind in (kinds | dict.fromkeys(scripts, "javascript")).items():
        answer, body = answer_to(port, path)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == f"text/{kind}; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert len(body) > 1000
        assert b"https://" not in body
    for path in ("/favicon.ico", "/../live.js", "//", "/live.html", "/etc/passwd", "*"):
        assert answer_to(port, path)[0].status == 404, path
    assert answer_to(port, "/stream")[0].status == 426


@pytest.mark.parametrize("path", ["/", "/live.js", "/stream", "/nothing"])
def test_strange_hosts_get_nothing(start: Start, path: str) -> None:
    page = start()
    for host in ("example.org", f"127.0.0.1.example.org:{page.port}", "", "127.0.0.1:80:80"):
        answer, body = answer_to(page.port, path, Host=host)
        assert answer.status == 403
        assert len(body) < 100


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Origin": "http://127.0.0.1"}, 101),
        ({"Origin": "http://localhost:9", "Host": "localhost:9"}, 101),
        ({"Origin": "http://localhost:9"}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "example.org", "Origin": "http://example.org"}, 403),
    ],
)
def test_the_stream_is_for_this_page(start: Start, headers: dict[str, str], status: int) -> None:
    with stalled_client(start().port, "/stream", headers) as client:
        assert client.status == status


def test_a_busy_port(start: Start) -> None:
    port = start().port
    with pytest.raises(EnvironmentFailure, match="taken") as failure:
        start(port=port)
    assert failure.value.hint == f"--web-port {port + 1}"


def viewer(page: WebPage, number: int = 1) -> ClientConnection:
    """One who looks without a browser; the page then has `number`."""
    client = connect(f"ws://127.0.0.1:{page.port}/stream", compression=None, max_size=None)
    wait_until(lambda: page.n_viewers == number)
    return client


def heard(client: ClientConnection, seq: int) -> list[dict[str, Any] | bytes]:
    """What came up to the message with that number."""
    found: list[Any] = []
    while not (found and isinstance(found[-1], dict) and found[-1].get("seq") == seq):
        came = client.recv(timeout=60)
        found.append(json.loads(came) if isinstance(came, str) else came)
    return found


def pictures(client: ClientConnection) -> Iterator[tuple[int, np.ndarray]]:
    """The pictures that come: their message's number, and their pixels."""
    while True:
        came = client.recv(timeout=60)
        if isinstance(came, bytes):
            coded = np.frombuffer(came[4:], np.uint8)
            yield int.from_bytes(came[:4], "big"), opencv().imdecode(coded, 1)


def test_what_a_viewer_is_told(start: Start) -> None:
    page = start(facts=lambda: {"title": "camera 0"}, most_fps=1000)
    pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[:, :, 2] = 250
    with viewer(page) as client:
        page.send(step(7, [HAPPY], pixels=pixels))
        status, expressions, message = heard(client, 7)
        assert status == {"status": {"title": "camera 0", "viewers": 1}}
        assert isinstance(expressions, dict)
        assert [tuple(each.values()) for each in expressions["expressions"]] == list(
            zip(EXPRESSIONS.names, EXPRESSIONS.words, EXPRESSIONS.colours, strict=True)
        )
        assert isinstance(message, dict)
        assert message["frameWidth"] == 1280
        number, picture = next(pictures(client))
        assert number == 7
        assert picture.shape == (360, 640, 3)
        assert is_near(tuple(picture[180, 320]), (0, 0, 250))
    with viewer(page, 1) as late:  # hears of expressions before the first message
        page.send(step(8))
        assert [next(iter(each)) for each in heard(late, 8)[:2] if isinstance(each, dict)] == [
            "expressions",
            "status",
        ]
        assert next(pictures(late))[0] == 8
    assert page.summary() == "page: 2 viewers, 2 pictures"


def test_a_viewer_that_does_not_read_delays_nobody(start: Start) -> None:
    page = start(most_fps=1000)
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    with (
        viewer(page) as first,
        stalled_client(page.port, "/stream"),
        viewer(page, 3) as second,
    ):
        for seq in range(60):
            page.send(step(seq, [HAPPY], pixels=noise))  # 200 KB a picture
            heard(first, seq)
            heard(second, seq)
        assert next(pictures(first))[0] < 60
        assert next(pictures(second))[0] < 60
        page.close()
        for client in (first, second):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    client.recv(timeout=60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001


def test_pictures_are_made_only_as_often_as_wanted_and_only_for_viewers(start: Start) -> None:
    page = start(most_fps=0.001)
    for seq in range(20):
        page.send(step(seq))
    assert page.summary() == "page: nobody looked"
    with viewer(page) as client:
        for seq in range(20, 60):
            page.send(step(seq))
            heard(client, seq)
        wait_until(lambda: page.summary() == "page: 1 viewer, 1 picture")


def test_a_page_whose_facts_fail_goes_on(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    page = start(facts=lambda: 1 / 0)
    with viewer(page) as client:
        page.send(step(0))
        assert heard(client, 0)[0] == {"status": {"viewers": 1}}
    assert "could not be told" in caplog.text


@pytest.mark.parametrize("said", ["x" * 5000, b"\x00" * 100, "{}"])
def test_viewers_that_talk_are_ignored_or_cut_off(start: Start, said: str | bytes) -> None:
    page = start()
    with viewer(page) as talking, viewer(page, 2) as quiet:
        talking.send(said)
        page.send(step(0))
        heard(quiet, 0)
        if len(said) > 1024:
            with pytest.raises(ConnectionClosed, match="1009"):
                heard(talking, -1)
        else:
            heard(talking, 0)


def test_jpeg_leaves_the_pixels_alone() -> None:
    pixels = np.full((90, 1001, 3), TEAL, np.uint8)
    coded = as_jpeg(pixels, 640, 90)
    assert opencv().imdecode(np.frombuffer(coded, np.uint8), 1).shape == (58, 640, 3)
    assert (pixels == TEAL).all()


def test_a_sink_that_never_started_can_be_closed() -> None:
    page = WebPage(EventLoop())
    page.send(Step(step(0).message))
    page.close()
    assert page.summary() == "page: nobody looked"
