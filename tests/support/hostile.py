"""Text that a hostile or careless server, flow or colleague may send. Source: reliability.md §4."""

from __future__ import annotations

ESCAPES = {
    "clear screen": "\x1b[2J\x1b[H",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "alternate screen": "\x1b[?1049l",
    "answer back": "\x1b[6n\x1b[c\x05",
    "c1 csi": "\x9b31mred\x9b0m",
    "device control": "\x1bP1$r0m\x1b\\",
    "kitty picture": "\x1b_Gf=100;AAAA\x1b\\",
    "bell and backspace": "safe\x07\x08\x08\x08\x08evil",
    "delete": "a\x7fb",
    "null": "a\x00b",
    "carriage return": "all good\rFAILED",
    "line feeds": "one\ntwo\r\nthree\x0b\x0c\x85four",
    "separators": "a\u2028b\u2029c",
}

LOOKALIKES = {
    "bidi override": "safe\u202egnp.exe",
    "bidi isolate": "\u2066a\u2069\u2067b\u2069",
    "arabic letter mark": "a\u061cb",
    "zero width": "ad\u200bmin\u200c\u200d\ufeff",
    "soft hyphen": "ad\u00admin",
    "invisible letters": "\u115f\u1160\u3164\uffa0",
    "word joiner": "a\u2060b",
    "tags": "\U000e0001\U000e0041",
    "variation selectors": "a\ufe0f\ufe00\U000e0100",
    "annotations": "\ufff9a\ufffab\ufffb",
    "noncharacters": "\ufdd0\ufffe\uffff\U0001ffff",
    "lone surrogate": "\ud800x\udfff",
    "zalgo": "Z" + "\u0301" * 60 + "a" + "\u0489" * 40,
}

MARKUP = {
    "tag": "[bold red]x[/]",
    "closing only": "[/]",
    "closing path": "load [/daily]",
    "action": "[@click=app.quit]press[/]",
    "link": "[link=http://evil.example]x[/link]",
    "nested": "[[bold]]x[[/bold]]",
    "backslashes": "\\[b]\\\\[/b]\\",
    "open bracket": "a [ b",
    "unfinished": "[bold",
    "ansi names": "[ansi_red on ansi_blue]x",
    "variable": "$accent [$error]x[/]",
    "emoji code": ":smile: :boom:",
    "html": "<script>alert(1)</script>&amp;",
    "format": "{0} {name!r} %s %(x)s {{}}",
}

SHAPES = {
    "empty": "",
    "blank": "   ",
    "long": "x" * 100_000,
    "long word": "α" * 500,
    "many lines": "line\n" * 2_000,
    "wide": "日本語の流れ" * 10,
    "emoji": "👩‍👩‍👧‍👦 ❤️ 🏳️‍🌈 1️⃣",
    "right to left": "שלום עולם مرحبا",
    "words the client acts on": "UNAUTHENTICATED API_ERROR Uniqueness violation.",
    "quotes": 'it\'s "quoted" `here` \\ $HOME $(id) ;rm',
    "formula": '=HYPERLINK("http://evil.example")',
    "null word": "null",
    "option": "--help",
    "path": "../../etc/passwd",
}

GROUPS = {"escapes": ESCAPES, "lookalikes": LOOKALIKES, "markup": MARKUP, "shapes": SHAPES}
HOSTILE: dict[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}
"""All of them by name: `@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())`."""

SENDABLE: dict[str, str] = {name: text for name, text in HOSTILE.items() if name not in ("lone surrogate", "null")}
"""Those that survive UTF-8 JSON and that a text column accepts."""
