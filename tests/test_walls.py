"""Who may import whom, held by reading every import there is.

Data modules import SymPy and each other; ``numeric`` reads the data and formulas of ``derive`` and
never its publishing; ``derive`` reaches ``numeric`` only from its commands, inside functions.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import derive
import numeric

PROJECT = Path(__file__).resolve().parents[1]
DERIVE, NUMERIC = PROJECT / "derive", PROJECT / "numeric"

MAY_PUBLISH = {
    "derive/cli.py",
    "derive/commands/assets.py",
    "derive/commands/doctor.py",
    "derive/commands/mechanisms.py",
    "derive/commands/page.py",
    "derive/displayed.py",
}
"""Modules outside of ``derive/publish`` that use it."""

FORMULA_FOLDERS = {"algebras", "claims", "coding", "theorems", "variants"}
"""Folders of modules that know of formulas alone."""

FORMULAS = {
    "attention.py",
    "binding.py",
    "brackets.py",
    "code.py",
    "comparing.py",
    "contraction.py",
    "counting.py",
    "derivation.py",
    "differentiation.py",
    "elements.py",
    "exact_values.py",
    "folding.py",
    "formula.py",
    "gradients.py",
    "index_arrays.py",
    "labelled.py",
    "matrix_form.py",
    "normaliser.py",
    "options.py",
    "rewriting.py",
    "scaled_dot_product.py",
    "score.py",
    "signs.py",
    "sizes.py",
    "small_sizes.py",
    "sum_rules.py",
    "symbolic_shapes.py",
    "tidying.py",
    "trials.py",
    "variant_properties.py",
    "weighted_sum.py",
    "whole_numbers.py",
    "witness.py",
}
"""Modules that know of formulas alone: nothing of files, of terminals or of pages."""

FORMULAS_READ = {"sympy", "numpy", "mpmath", "derive"} | set(sys.stdlib_module_names)


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Yield each imported module and whether a function imports it."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield str(node.module), id(node) in inside
            for name in node.names:
                yield f"{node.module}.{name.name}", id(node) in inside


def is_under(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def complaints(path: str, source: str) -> list[str]:
    """Return what is wrong with the imports of the module at ``path`` (from the project's root)."""
    package, *inner, name = path.split("/")
    folder = inner[0] if inner else ""
    found = []
    for module, in_function in imports(source):
        root = module.partition(".")[0]
        if package == "derive":
            if root == "torch":
                found.append(f"{path} imports torch")
            if root == "numeric" and not (path == "derive/cli.py" and in_function):
                found.append(f"{path} imports {module} outside of a function of derive/cli.py")
        if is_under(module, "derive.publish") and not (
            package == "derive" and (folder == "publish" or path in MAY_PUBLISH)
        ):
            found.append(f"{path} imports {module}, which publishes")
        if is_under(module, "derive.cli"):
            found.append(f"{path} imports the command")
        about_formulas = name in FORMULAS or folder in FORMULA_FOLDERS
        if package == "derive" and about_formulas and root not in FORMULAS_READ:
            found.append(f"{path} imports {module}, which is not about formulas")
        if root == "tests":
            found.append(f"{path} imports tests")
    return found


MODULES = sorted(
    path.relative_to(PROJECT).as_posix()
    for root in (DERIVE, NUMERIC)
    for path in root.rglob("*.py")
)


@pytest.mark.parametrize("path", MODULES)
def test_a_module_keeps_to_its_side(path):
    assert complaints(path, (PROJECT / path).read_text(encoding="utf-8")) == []


def test_the_modules_of_formulas_are_there():
    assert {path.name for path in DERIVE.glob("*.py")} >= FORMULAS
    assert {path.name for path in DERIVE.iterdir() if path.is_dir()} >= FORMULA_FOLDERS
    assert set(MODULES) >= MAY_PUBLISH


OFFENDERS = {
    "torch": ("derive/score.py", "import torch"),
    "torch in a function": ("derive/cli.py", "def check():\n    import torch.nn"),
    "numeric in a module": ("derive/code.py", "from numeric import reference"),
    "numeric in a function elsewhere": ("derive/code.py", "def f():\n    import numeric.bounds"),
    "numeric at the top of the command": ("derive/cli.py", "import numeric.verification"),
    "numeric in a page": ("derive/publish/fence.py", "from numeric.reference import attention"),
    "publishing in a formula": ("derive/formula.py", "from derive.publish import notation"),
    "publishing in a formula, otherwise": ("derive/score.py", "from derive import publish"),
    "publishing in an algebra": ("derive/algebras/exact.py", "import derive.publish.notation"),
    "publishing in numeric": ("numeric/bounds.py", "from derive.publish.lines import rounded"),
    "the command in numeric": ("numeric/bounds.py", "from derive.cli import main"),
    "a terminal in a formula": ("derive/binding.py", "from rich.text import Text"),
    "a page in a claim": ("derive/claims/weights.py", "import jinja2"),
    "files in a formula": ("derive/formula.py", "import yaml"),
    "tests": ("numeric/bounds.py", "import tests.numeric"),
}


@pytest.mark.parametrize("name", OFFENDERS)
def test_an_offender_is_noticed(name):
    assert complaints(*OFFENDERS[name])


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("derive/cli.py", "def check():\n    from numeric.verification import check_all"),
        ("derive/cli.py", "def show():\n    from derive.publish import terminal"),
        ("derive/publish/fence.py", "from derive.publish.notation import Latex"),
        ("derive/score.py", "from sympy import sqrt"),
        ("numeric/bounds.py", "import torch\nfrom derive.formula import Stage"),
    ],
)
def test_a_good_import_is_not_complained_of(path, source):
    assert complaints(path, source) == []


def test_a_relative_import_is_refused():
    with pytest.raises(AssertionError, match="absolute"):
        complaints("derive/score.py", "from .formula import Stage")


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT
    )


def test_importing_all_of_derive_imports_neither_torch_nor_numeric():
    names = [path.removesuffix(".py").replace("/", ".") for path in MODULES if path[:6] == "derive"]
    names = [name.removesuffix(".__init__") for name in names]
    assert len(names) > 40
    done = python(
        f"import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert not {'torch', 'numeric'} & sys.modules.keys()"
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_almost_nothing():
    done = python("import derive, sys; assert not {'sympy', 'numpy'} & sys.modules.keys()")
    assert done.returncode == 0, done.stderr


# What is public


PUBLIC = [(package, name) for package in (derive, numeric) for name in package.__all__]


@pytest.mark.parametrize(("package", "name"), PUBLIC, ids=lambda value: str(value)[:40])
def test_every_public_name_is_there_and_documented(package, name):
    value = getattr(package, name)
    assert value.__doc__
    assert name in dir(package)
    assert not isinstance(value, ModuleType), "a module of that name hides it"


@pytest.mark.parametrize("package", [derive, numeric])
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"{package.__name__} has no 'absent'"):
        package.absent  # noqa: B018 - the access is the test


@pytest.mark.parametrize("package", [derive, numeric])
def test_the_public_names_are_those_that_the_type_checker_sees(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        name.name: str(node.module)
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert set(seen) == set(package.__all__)
    for name, module in seen.items():
        assert getattr(import_module(module), name) is getattr(package, name)
    assert package.__all__ == sorted(
        package.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


@pytest.mark.parametrize("package", [derive, numeric])
def test_no_module_hides_a_public_name(package):
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    folders = {path.parent.name for path in Path(package.__file__).parent.glob("*/__init__.py")}
    assert not (modules | folders) & set(package.__all__)
