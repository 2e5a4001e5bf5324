"""Bounds on the magnitude of expressions, found from their parts.

A hyperbolic tangent lies between -1 and 1, a sum is at most the sum of its terms' bounds, and a
cosine of two vectors is at most 1 by the inequality of Cauchy and Schwarz, which follows from
Lagrange's identity: u^2 v^2 - (u . v)^2 is a sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Pow,
    Sum,
    Symbol,
    cos,
    exp,
    expand_mul,
    sin,
    sqrt,
    tanh,
)

from derive.binding import freshen, rename, same
from derive.brackets import AtMost, Bracket
from derive.claims.chains import chain, everywhere
from derive.claims.claim import Line
from derive.claims.subject import Subject
from derive.derivation import Derivation, DerivationError
from derive.formula import Stage, k, l, opened
from derive.rewriting import distribute, pull_out


@dataclass
class Magnitudes:
    """Bounds on the magnitude of expressions, in the numbers that are no tokens'.

    ``lemmas`` and ``conditions`` collect what the bounds found so far rest on.
    """

    subject: Subject
    known: dict[IndexedBase, tuple[Stage, Expr]] = field(default_factory=dict)
    words: dict[str, None] = field(default_factory=dict)
    lemmas: list[Derivation] = field(default_factory=list)
    conditions: dict[Expr, None] = field(default_factory=dict)

    def learn(self, stage: Stage) -> Line:
        """Find a bound on a stage's entries, or raise ``DerivationError``."""
        self.words.clear()
        bound = self.of(stage.value)
        self.known[stage.array] = stage, bound
        return Line(stage.target, "; ".join(self.words) or "bounded as its parts are", bound)

    def of(self, part: Expr) -> Expr:
        """Return a bound on a part's magnitude."""
        if isinstance(part, Indexed):
            return self.entry(part)
        if isinstance(part, tanh):
            return self.because("a hyperbolic tangent lies between -1 and 1")
        if isinstance(part, cos | sin):
            return self.because("cosines and sines lie between -1 and 1")
        if isinstance(part, Bracket):
            return self.because("a bracket is 0 or 1")
        if isinstance(part, exp):
            return exp(self.upper(part.args[0]))
        if isinstance(part, Add):
            return Add(*(self.of(term) for term in part.args))
        if isinstance(part, Mul):
            return self.product(part)
        if isinstance(part, Sum):
            body, index, low, high = opened(freshen(part))
            self.because("a sum is at most the sum of its terms' magnitudes")
            return Sum(self.of(body), (index, low, high))
        if isinstance(part, Pow) and (part.exp.is_positive or self.is_exact(part.base)):
            return Pow(self.of(part.base), part.exp)
        if part.is_number or part.is_Symbol:
            return abs(part)
        raise DerivationError(f"nothing bounds {part}")

    def is_exact(self, part: Expr) -> bool:
        """Tell whether the bound on a part is its magnitude, so that it may be divided by."""
        plain = isinstance(part, Indexed) or part.is_positive or part.is_number
        return bool(plain) and not self.moves(part)

    def because(self, words: str) -> Expr:
        """Note why something is at most 1."""
        self.words[words] = None
        return Integer(1)

    def moves(self, part: Expr) -> bool:
        """Tell whether tokens change a part."""
        return any(self.subject.made_of_tokens(entry.base) for entry in part.atoms(Indexed))

    def entry(self, entry: Indexed) -> Expr:
        """Bound an entry by its equation; one that is the same for all texts bounds itself."""
        if entry.base in self.known:
            stage, bound = self.known[entry.base]
            return rename(bound, dict(zip(stage.target.indices, entry.indices, strict=True)))
        if self.subject.made_of_tokens(entry.base):
            raise DerivationError(f"{entry} may be any number")
        # SymPy makes |u| of the root of a real number's square, for which formulas have no sign; of
        # a number that it does not know to be real it leaves the root as it is.
        return sqrt(IndexedBase(str(entry.base))[entry.indices] ** 2)

    def product(self, part: Mul) -> Expr:
        """Bound a product by its factors, or by a rule about vectors and their lengths."""
        for rule in (self.cosine, self.by_root):
            found = rule(part)
            if found is not None:
                return found
        return Mul(*(self.of(factor) for factor in part.args))

    # Products of vectors that are divided by their lengths

    def cosine(self, part: Mul) -> Expr | None:
        """|sum_k u_k v_k| <= sqrt(sum_k u_k^2) sqrt(sum_k v_k^2)."""
        for total in (factor for factor in part.args if isinstance(factor, Sum)):
            body, index, _, high = opened(total)
            vectors = Mul.make_args(body)
            lengths = [sqrt(Sum(vector**2, (index, 1, high))) for vector in vectors]
            divided = [self.root(part, length) for length in lengths]
            if len(vectors) == 2 and all(divided):
                self.because("no product of two vectors exceeds that of their lengths")
                self.lemmas.append(lagrange(vectors[0], vectors[1], index, high))
                rest = [f for f in part.args if f is not total and f not in divided]
                return Mul(*(self.of(factor) for factor in rest))
        return None

    def by_root(self, part: Mul) -> Expr | None:
        """|u_k| <= sqrt(c) sqrt(sum_k u_k^2 / c + epsilon), where epsilon is not negative."""
        for total in (factor for factor in part.args if isinstance(factor, Sum)):
            body, index, low, high = opened(total)
            left = [factor for factor in part.args if factor is not total]
            inside = []
            for factor in Mul.make_args(body):
                divided = self.mean_root(left, factor, index, high)
                if divided is not None:
                    left.remove(divided[0])
                    inside.append(sqrt(divided[1]))
                else:
                    inside.append(factor)
            if len(left) < len(part.args) - 1:
                self.because("a number's square is one of the terms under the root")
                terms = Mul(*(f if not f.has(Indexed) else self.of(f) for f in inside))
                return Mul(*(self.of(factor) for factor in left)) * Sum(terms, (index, low, high))
        return None

    def mean_root(
        self, factors: list[Expr], vector: Expr, index: Symbol, high: Expr
    ) -> tuple[Expr, Expr] | None:
        """Find the factor that divides by sqrt(sum_k vector^2 / c + epsilon), and c."""
        squares = Sum(vector**2, (index, 1, high)).as_dummy()
        for factor in factors:
            value = self.definition(factor)
            if value is None:
                continue
            terms = [term.as_dummy() for term in Add.make_args(value**2)]
            means = [term for term in terms if not (term / squares).has(Indexed)]
            if len(means) == 1:
                others = [term for term in terms if term not in means]
                if not any(self.moves(term) for term in others):
                    for term in others:
                        self.conditions[AtMost(0, term)] = None
                    return factor, squares / means[0]
        return None

    def root(self, part: Mul, length: Expr) -> Expr | None:
        """Return the factor that divides by a vector's length."""
        for factor in part.args:
            value = self.definition(factor)
            if value is not None and same(value, length):
                return factor
        return None

    def definition(self, factor: Expr) -> Expr | None:
        """Return what 1 / r[i] divides by, in terms of what r is made of."""
        if not (isinstance(factor, Pow) and factor.exp == -1 and isinstance(factor.base, Indexed)):
            return None
        for stage in self.subject.mechanism.stages:
            if stage.array == factor.base.base:
                letters = dict(zip(stage.target.indices, factor.base.indices, strict=True))
                return rename(stage.value, letters)
        return None

    # Exponents

    def upper(self, part: Expr) -> Expr:
        """Return a number that a part does not exceed: w . q - q . q / 2 <= w . w / 2."""
        terms = Add.make_args(distribute(part))
        for square in terms:
            if not isinstance(-2 * square, Sum):
                continue
            body, index, _, high = opened(-2 * square)
            vector = sqrt(body).args[0] if isinstance(sqrt(body), Abs) else None
            others = [term for term in terms if term is not square]
            if vector is None or len(others) != 1 or not isinstance(others[0], Sum):
                continue
            inner, letter, _, _ = opened(others[0])
            fixed = inner.xreplace({letter: index}) / vector
            if not self.moves(fixed):
                self.because("w q - q^2 / 2 is at most w^2 / 2, for (w - q)^2 is not negative")
                self.lemmas.append(completed_square(fixed, vector, index, high))
                return Sum(fixed**2, (index, 1, high)) / 2
        return self.of(part)


def _squared(part: Expr) -> Expr:
    return part.expand() if isinstance(part, Pow) and isinstance(part.base, Add) else part


def lagrange(u: Expr, v: Expr, index: Symbol, high: Expr) -> Derivation:
    """Prove sum_k sum_l (u_k v_l - u_l v_k)^2 / 2 = sum_k u_k^2 sum_k v_k^2 - (sum_k u_k v_k)^2."""
    letter = k if index != k else index
    u, v = (vector.xreplace({index: letter}) for vector in (u, v))
    other = {letter: l}
    squares = (u * v.xreplace(other) - u.xreplace(other) * v) ** 2

    def summed(body: Expr) -> Sum:
        return Sum(body, (letter, 1, high))

    def one_letter(part: Expr) -> Expr:
        if not isinstance(part, Sum) or letter in part.free_symbols:
            return part
        body, own, low, last = opened(part)
        return Sum(body.xreplace({own: letter}), (letter, low, last))

    return chain(
        summed(Sum(squares, (l, 1, high))) / 2,
        summed(u**2) * summed(v**2) - summed(u * v) ** 2,
        [
            ("multiply out the square", everywhere(_squared)),
            ("a sum of several terms is several sums", distribute),
            (
                "what does not depend on an index stands before its sum; two halves are the same",
                lambda part: everywhere(one_letter)(pull_out(part)),
            ),
        ],
    )


def completed_square(w: Expr, q: Expr, index: Symbol, high: Expr) -> Derivation:
    """Prove sum_k (w_k - q_k)^2 / 2 = sum_k w_k^2 / 2 - (sum_k w_k q_k - sum_k q_k^2 / 2)."""
    letter = k
    w, q = (vector.xreplace({index: letter}) for vector in (w, q))

    def summed(body: Expr) -> Sum:
        return Sum(body, (letter, 1, high))

    return chain(
        summed((w - q) ** 2) / 2,
        summed(w**2) / 2 - summed(w * q) + summed(q**2) / 2,
        [
            ("multiply out the square", everywhere(_squared)),
            ("a sum of several terms is several sums", distribute),
            ("a number stands before the sum", everywhere(expand_mul)),
        ],
    )
