"""The grammar: IRIS SQL as it is typed, and SQLite as it is run, as two dialects of sqlglot."""

from typing import Any, ClassVar

from sqlglot import TokenType, exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.sqlite import SQLite
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parser import binary_range_parser

# The types of IRIS by sqlglot's names for them: what is declared, and what a value must be.
INTEGERS = {
    exp.DType.INT: "INTEGER",
    exp.DType.BIGINT: "BIGINT",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.TINYINT: "TINYINT",
}
NUMBERS = {exp.DType.DECIMAL: "NUMERIC", exp.DType.DOUBLE: "DOUBLE", exp.DType.FLOAT: "DOUBLE"}
STRINGS = {
    exp.DType.VARCHAR: "VARCHAR",
    exp.DType.NVARCHAR: "VARCHAR",
    exp.DType.CHAR: "VARCHAR",
    exp.DType.NCHAR: "VARCHAR",
}
OTHERS = {
    exp.DType.TEXT: "LONGVARCHAR",
    exp.DType.BIT: "BIT",
    exp.DType.BOOLEAN: "BIT",
    exp.DType.DATE: "DATE",
    exp.DType.TIME: "TIME",
    exp.DType.DATETIME: "TIMESTAMP",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.BINARY: "LONGVARBINARY",
    exp.DType.VARBINARY: "LONGVARBINARY",
    exp.DType.BLOB: "LONGVARBINARY",
}
TYPES = {**INTEGERS, **NUMBERS, **STRINGS, **OTHERS}


def _call(name: str) -> Any:
    """A parser's builder for a function that `functions.py` gives to SQLite."""
    return lambda args: exp.Anonymous(this=name, expressions=args)


def _if_null(self: "IrisParser") -> exp.Expr:
    """IRIS's IFNULL never answers its first argument, ODBC's `{fn IFNULL(a, b)}` does."""
    odbc = self._index >= 4 and self._tokens[self._index - 4].token_type == TokenType.L_BRACE
    values = self._parse_csv(self._parse_assignment)
    if len(values) not in (2, 3):
        self.raise_error("IFNULL takes two or three values")
    if odbc:
        return self.expression(exp.Coalesce(this=values[0], expressions=values[1:]))
    is_null = exp.Is(this=values[0], expression=exp.Null())
    return self.expression(
        exp.Case(ifs=[exp.If(this=is_null, true=values[1])], default=values[2] if len(values) == 3 else None)
    )


class IrisTokenizer(tokens.Tokenizer):
    """`%ID` and `$LENGTH` are names, `[` is the operator "contains"."""

    SINGLE_TOKENS: ClassVar[dict[Any, Any]] = {
        **{char: kind for char, kind in tokens.Tokenizer.SINGLE_TOKENS.items() if char != "%"},
        "[": TokenType.AMP_GT,
        "#": TokenType.MOD,
    }
    KEYWORDS: ClassVar[dict[Any, Any]] = {
        **tokens.Tokenizer.KEYWORDS,
        "TOP": TokenType.TOP,
        "%STARTSWITH": TokenType.CARET_AT,
        "START TRANSACTION": TokenType.BEGIN,
        "ON TABLE": TokenType.ON,
        "LONGVARBINARY": TokenType.VARBINARY,
    }


class IrisParser(parser.Parser):
    """What IRIS SQL has beside the standard."""

    RANGE_PARSERS: ClassVar[dict[Any, Any]] = {
        **parser.Parser.RANGE_PARSERS,
        TokenType.AMP_GT: binary_range_parser(exp.Contains),
        TokenType.CARET_AT: binary_range_parser(exp.StartsWith),
    }
    # A placeholder remembers where it stands, for TOP ? is moved to the end of the statement.
    PLACEHOLDER_PARSERS: ClassVar[dict[Any, Any]] = {
        TokenType.PLACEHOLDER: lambda self: self.expression(exp.Placeholder(this=str(self._prev.start))),
    }
    FUNCTIONS: ClassVar[dict[Any, Any]] = {
        **parser.Parser.FUNCTIONS,
        **dict.fromkeys(("ISNULL", "NVL"), parser.build_coalesce),
        **dict.fromkeys(
            ("GETDATE", "GETUTCDATE", "NOW", "SYSDATE", "CURRENT_TIMESTAMP"), lambda _: exp.CurrentTimestamp()
        ),
        **dict.fromkeys(("CURDATE",), lambda _: exp.CurrentDate()),
        **dict.fromkeys(("CURTIME",), lambda _: exp.CurrentTime()),
        **dict.fromkeys(("%UPPER", "%SQLUPPER", "%ALPHAUP"), exp.Upper.from_arg_list),
        **dict.fromkeys(("%SQLSTRING", "%STRING", "STRING"), lambda args: exp.cast(args[0], "VARCHAR")),
        "%EXACT": lambda args: exp.Collate(this=args[0], expression=exp.var("BINARY")),
        "$LENGTH": lambda args: _call("iris_pieces")(args) if len(args) > 1 else exp.Length(this=args[0]),
        "$PIECE": _call("iris_piece"),
        "$EXTRACT": _call("iris_extract"),
        "LEFT": _call("iris_left"),
        "RIGHT": _call("iris_right"),
        "DATEADD": _call("iris_dateadd"),
        "DATEDIFF": _call("iris_datediff"),
        "DATEPART": _call("iris_datepart"),
        "DATENAME": _call("iris_datepart"),
        **{
            name: lambda args, part=part: exp.Anonymous(
                this="iris_datepart", expressions=[exp.Literal.string(part), *args]
            )
            for name, part in (
                ("YEAR", "yyyy"),
                ("QUARTER", "qq"),
                ("MONTH", "mm"),
                ("DAY", "dd"),
                ("DAYOFMONTH", "dd"),
                ("HOUR", "hh"),
                ("MINUTE", "mi"),
                ("SECOND", "ss"),
            )
        },
        "LIST": lambda args: exp.GroupConcat(this=args[0]),
    }
    FUNCTION_PARSERS: ClassVar[dict[Any, Any]] = {**parser.Parser.FUNCTION_PARSERS, "IFNULL": _if_null}

    def _parse_limit(self, this: Any = None, top: bool = False, skip_limit_token: bool = False) -> exp.Expr | None:
        if top and self._match_pair(TokenType.TOP, TokenType.ALL):
            return None
        if top and self._match_pair(TokenType.TOP, TokenType.PLACEHOLDER, advance=False):
            self._match(TokenType.TOP)
            return self.expression(exp.Limit(this=this, expression=self._parse_placeholder()))
        return super()._parse_limit(this, top, skip_limit_token)

    def _warn_unsupported(self) -> None:
        """sqlglot would go on with the raw text of what it does not know; nothing is run that was not read."""
        self.raise_error("this kind of statement is not known here")


class Iris(Dialect):
    """IRIS SQL, the input."""

    Tokenizer = IrisTokenizer
    Parser = IrisParser


def _place(self: SQLiteGenerator, e: exp.Expr) -> str:
    """Where one text is in another, without regard to case; 0 if nowhere."""
    return f"INSTR(UPPER({self.sql(e, 'this')}), UPPER({self.sql(e, 'expression')}))"


class LiteGenerator(SQLiteGenerator):
    """SQLite's SQL with numbered placeholders and IRIS's names of types."""

    TRANSFORMS: ClassVar[dict[Any, Any]] = {
        # Columns and keys of a CREATE TABLE are already SQLite's when they come here: see define.py.
        **{
            kind: write for kind, write in SQLiteGenerator.TRANSFORMS.items() if kind not in (exp.Create, exp.ColumnDef)
        },
        exp.Placeholder: lambda _, e: f"?{e.name}",
        exp.StartsWith: lambda self, e: f"({_place(self, e)} = 1)",
        exp.Contains: lambda self, e: f"({_place(self, e)} > 0)",
    }
    TYPE_MAPPING: ClassVar[dict[Any, Any]] = {**SQLiteGenerator.TYPE_MAPPING, **TYPES}

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """A cast to VARCHAR(n) cuts at n characters, as in IRIS."""
        to = expression.to
        if to.this in STRINGS:
            text = f"CAST({self.sql(expression, 'this')} AS TEXT)"
            return f"SUBSTR({text}, 1, {self.sql(to.expressions[0])})" if to.expressions else text
        return super().cast_sql(expression, safe_prefix)


class Lite(SQLite):
    """SQLite, the output. Names stand in backticks: SQLite takes an unknown "name" for a text."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS: ClassVar[list[Any]] = ["`"]

    Generator = LiteGenerator
